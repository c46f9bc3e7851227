/**
 * The only place where an answer or an error becomes HTTP. Errors leave as problem+json (RFC 9457) with the code, title
 * and status of the table in shared; what is no `ClusterError` is logged and leaves as `internal_error`, so that no
 * stack and no text of ours or of a library reaches a client by accident.
 */

import type { ServerResponse } from "node:http";
import { JournalBroken } from "@genserverless/shared/cluster/journal.ts";
import { CursorError } from "@genserverless/shared/inspect/process-list.ts";
import { AnswerLost, RedisDown } from "@genserverless/shared/redis/connection.ts";
import { ClusterError, ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { EventStream } from "@genserverless/shared/service/event-stream.ts";
import type { Logger } from "@genserverless/shared/service/log.ts";
import { StoreUnavailable } from "@genserverless/shared/stores/store.ts";
import { EventStreams } from "./event-streams.ts";
import { JournalCut } from "./journal/journal-reader.ts";

export interface Answer {
  status: number;
  /** Any JSON value; absent means an answer without a body. */
  json?: unknown;
  /** A body that is text already, with its content type. */
  text?: { type: string; body: string };
  /** The answer goes on: server-sent events. Called in any case; where the reader has left, with a stream that is closed. */
  stream?: (stream: EventStream) => void;
  /** It was sent already. */
  isSent?: true;
  headers?: Readonly<Record<string, string>>;
}

/** A `ClusterError` with what only HTTP has: headers, and further members of the problem document. */
export class HttpProblem extends ClusterError {
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { headers?: Record<string, string>; members?: Record<string, unknown> },
  ) {
    super(code, detail);
    this.headers = extra.headers ?? {};
    this.members = extra.members ?? {};
  }
}

const RETRY_AFTER_SECONDS = "1";

export class Responder {
  readonly #servedBy: string;
  readonly #isDraining: () => boolean;
  readonly #log: Logger;
  readonly #streams: EventStreams;

  /** `isDraining` makes every answer close its connection, so that a node that leaves is not held by keep-alive. */
  constructor(servedBy: string, isDraining: () => boolean, log: Logger, streams = new EventStreams()) {
    this.#streams = streams;
    this.#servedBy = servedBy;
    this.#isDraining = isDraining;
    this.#log = log;
  }

  /** Returns the status that was sent. */
  send(res: ServerResponse, answer: Answer): number {
    if (answer.isSent) return answer.status;
    if (answer.stream) return this.#stream(res, answer, answer.stream);
    if (answer.json !== undefined) return this.#write(res, answer, "application/json", JSON.stringify(answer.json));
    if (answer.text) return this.#write(res, answer, answer.text.type, answer.text.body);
    return this.#write(res, answer, undefined, "");
  }

  /** Returns the status that was sent. */
  fail(res: ServerResponse, error: unknown): number {
    const problem = this.#toProblem(error);
    const [status] = ERRORS[problem.code];
    const answer = { status, headers: problemHeaders(problem, status) };
    return this.#write(res, answer, "application/problem+json", JSON.stringify(problemDocument(problem)));
  }

  #stream(res: ServerResponse, { status }: Answer, begin: (stream: EventStream) => void): number {
    const stream = this.#streams.add(res, { "x-served-by": this.#servedBy });
    // A HEAD that went on would hold up whatever comes next on its connection.
    if (this.#isDraining() || res.req?.method === "HEAD") stream.end();
    begin(stream);
    return status;
  }

  #write(res: ServerResponse, answer: Answer, type: string | undefined, body: string): number {
    if (res.headersSent || res.destroyed) return answer.status;
    const headers = ["x-served-by", this.#servedBy];
    if (type !== undefined) headers.push("content-type", type, "content-length", String(Buffer.byteLength(body)));
    if (answer.headers) headers.push(...Object.entries(answer.headers).flat());
    if (this.#isDraining()) headers.push("connection", "close");
    res.writeHead(answer.status, headers);
    res.end(body);
    return answer.status;
  }

  #toProblem(error: unknown): ClusterError {
    if (error instanceof ClusterError) return error;
    if (error instanceof CursorError) return new ClusterError("invalid_request", error.message);
    if (error instanceof JournalCut) {
      return new HttpProblem("compacted", error.message, { members: { first: error.first } });
    }
    if (error instanceof JournalBroken) return new ClusterError("journal_broken", error.message);
    if (error instanceof RedisDown || error instanceof AnswerLost) {
      return new ClusterError("redis_unavailable", "Redis cannot be reached");
    }
    if (error instanceof StoreUnavailable) return new ClusterError("store_unavailable", error.message);
    this.#log.error({ err: error }, "request.failed");
    return new ClusterError("internal_error", "the error is in the log of the node that x-served-by names");
  }
}

/** The whole answer to bytes that are no HTTP request, which Node hands over as a bare socket. */
export function refuseBrokenRequest(servedBy: string): string {
  const problem = new ClusterError(
    "invalid_request",
    "this is not an HTTP request, or its head is too large or too slow",
  );
  const body = JSON.stringify(problemDocument(problem));
  const head = [
    "HTTP/1.1 400 Bad Request",
    `x-served-by: ${servedBy}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

function problemHeaders(problem: ClusterError, status: number): Record<string, string> {
  const headers: Record<string, string> = problem instanceof HttpProblem ? { ...problem.headers } : {};
  if (status === 429 || status === 503) headers["retry-after"] = RETRY_AFTER_SECONDS;
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="cluster"';
  return headers;
}

/** The problem document of an error (RFC 9457). */
export function problemDocument(problem: ClusterError): object {
  const [status, title] = ERRORS[problem.code];
  const { code, message: detail, messageId } = problem;
  const members = problem instanceof HttpProblem ? problem.members : {};
  return { type: `urn:genserverless:problem:${code}`, title, status, detail, code, messageId, ...members };
}
