/**
 * Hands a request to the functions service and its answer back, both as streams, as they come. What belongs to one connection
 * stays behind, and so do the secrets of whoever calls that are not meant for a function: the cluster's own token, and the
 * cookies of sysmon's page, which browsers send to every port of a host.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { type FunctionsAccess, TOKEN_HEADER } from "@genserverless/shared/functions/access.ts";
import { FunctionsAway, notSetUp } from "@genserverless/shared/functions/functions-client.ts";
import { filterHeaders, readNamed, readRawHeaders } from "@genserverless/shared/functions/raw-headers.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Dispatcher, Pool } from "undici";

export interface Relayed {
  /** Of the functions service, with its query. */
  path: string;
  method: string;
  /** Name, value, name, value … */
  headers: string[];
  /** The whole body, or the request as it comes. */
  body: IncomingMessage | Buffer | null;
  /** An answer without an end: it is ended when this node leaves. */
  goesOn?: true;
  /** The codes of those problems of the service that are not passed on, for the caller has an answer of its own. */
  isReplaced: (code: string) => boolean;
}

export type RelayEnd = { status: number; problem?: undefined } | { problem: string };

const FORWARDED = "x-forwarded-for";
/** What a function may answer with goes through here with what the service adds. */
const MOST_HEAD_BYTES = 32 * 1024;
const CONSOLE_COOKIE = /^genserverless-console-/;

export class Relay implements Part {
  readonly #access: FunctionsAccess | undefined;
  readonly #signature: readonly string[];
  readonly #isDraining: () => boolean;
  readonly #goingOn = new Set<ServerResponse>();
  #pool: Pool | undefined;

  constructor(access: FunctionsAccess | undefined, servedBy: string, isDraining: () => boolean) {
    this.#access = access;
    this.#signature = ["x-served-by", servedBy];
    this.#isDraining = isDraining;
  }

  async start(): Promise<void> {
    if (!this.#access) return;
    const { Pool } = await import("undici");
    // How long a function may take is decided where it runs.
    this.#pool = new Pool(this.#access.url.origin, {
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MOST_HEAD_BYTES,
    });
  }

  async stop(): Promise<void> {
    await this.#pool?.destroy();
  }

  /** Ends the answers that would go on: each resumes elsewhere with Last-Event-ID. */
  endStreams(): void {
    for (const res of this.#goingOn) res.end();
  }

  /** What every answer of this node says. */
  ownHeaders(): readonly string[] {
    return this.#isDraining() ? [...this.#signature, "connection", "close"] : this.#signature;
  }

  /** Resolves at the end of the answer. Throws FunctionsAway where there is none. */
  async pass(res: ServerResponse, relayed: Relayed): Promise<RelayEnd> {
    const { path, method, headers, goesOn, isReplaced } = relayed;
    const { token } = this.#access ?? notSetUp();
    const pool = this.#pool;
    if (!pool) throw new FunctionsAway("this node has not started yet");
    headers.push(TOKEN_HEADER, token);
    const body = relayed.body && "readable" in relayed.body ? readBody(relayed.body) : relayed.body;
    if (goesOn && this.#isDraining()) throw new FunctionsAway("this node is about to leave");
    if (goesOn) {
      this.#goingOn.add(res);
      res.once("close", () => this.#goingOn.delete(res));
    }
    const { promise, resolve, reject } = Promise.withResolvers<RelayEnd>();
    const answer = new AnswerWriter({ res, more: this.ownHeaders(), isReplaced, resolve, reject });
    pool.dispatch({ path, method: method as Dispatcher.HttpMethod, headers, body }, answer);
    return promise;
  }
}

interface WriterOptions {
  res: ServerResponse;
  /** Headers that are added. */
  more: readonly string[];
  isReplaced: (code: string) => boolean;
  resolve: (end: RelayEnd) => void;
  reject: (error: Error) => void;
}

/** Writes the answer as it comes, no faster than it is taken. */
class AnswerWriter implements Dispatcher.DispatchHandler {
  readonly #options: WriterOptions;
  readonly #res: ServerResponse;
  #end: RelayEnd = { status: 502 };
  #isOver = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#res = options.res;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const leave = () => this.#isOver || controller.abort(new Error("the reader has left"));
    if (this.#res.destroyed) leave();
    else this.#res.once("close", leave).on("drain", () => controller.resume());
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: object, words?: string): void {
    // What goes before the answer itself is not for the caller.
    if (status < 200) return;
    const problem = (headers as Record<string, unknown>)["x-function-problem"];
    if (typeof problem === "string" && this.#options.isReplaced(problem)) this.#end = { problem };
    else {
      this.#end = { status };
      this.#res.writeHead(status, words, [...readHeaders(controller), ...this.#options.more]);
      // Whoever takes its time to say more has said this.
      if (!("content-length" in headers)) this.#res.flushHeaders();
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#end.problem === undefined && !this.#res.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    this.#isOver = true;
    if (this.#end.problem === undefined) this.#res.end();
    this.#options.resolve(this.#end);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#isOver = true;
    if (this.#res.headersSent || this.#res.destroyed) {
      this.#res.destroy();
      this.#options.resolve(this.#end);
    } else {
      this.#options.reject(new FunctionsAway(`the functions service cannot be reached: ${error.message}`));
    }
  }
}

/**
 * What is sent of a request, as it comes. Where the answer is there first the rest is read and forgotten: whoever still sends
 * would not see the answer on a connection that is cut.
 */
function readBody(req: IncomingMessage): PassThrough {
  const body = new PassThrough();
  body.on("error", () => {});
  body.once("close", () => req.unpipe(body).resume());
  // It closes after its end too, when what was sent may still be on its way.
  req.once("close", () => req.readableEnded || body.destroy());
  req.on("error", () => {});
  return req.pipe(body);
}

function readHeaders({ rawHeaders }: Dispatcher.DispatchController): string[] {
  return filterHeaders(readRawHeaders(rawHeaders), () => true);
}

/** What of a request's headers a function may see. */
export function passedHeaders(req: IncomingMessage, hidesAuthorization: boolean): string[] {
  const named = readNamed(req.headers.connection);
  // Whose request it is a client cannot take away.
  for (const name of [FORWARDED, "host"]) named.delete(name);
  const headers = filterHeaders(req.rawHeaders, (name) => {
    if (name === "authorization") return !hidesAuthorization;
    return name !== "cookie" && name !== TOKEN_HEADER && !named.has(name);
  });
  const cookies = (req.headers.cookie ?? "").split(/; */).filter((each) => each && !CONSOLE_COOKIE.test(each));
  if (cookies.length > 0) headers.push("cookie", cookies.join("; "));
  if (req.headers[FORWARDED] === undefined) headers.push(FORWARDED, req.socket.remoteAddress ?? "");
  return headers;
}

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
