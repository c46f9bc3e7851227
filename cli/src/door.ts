/** Requests that the client of the sdk has no method for: streams of events, the work queue, projects and functions. */

import type { Readable } from "node:stream";
import { type ClientOptions, ConnectionError, type ReadOptions } from "genserverless/client";
import { Requests } from "genserverless/requests.ts";
import { toProblem } from "genserverless/transport.ts";
import { Agent, type Dispatcher } from "undici";
import { readEvents, type ServerEvent } from "./event-stream.ts";

type Answered = Record<string, unknown>;

/** A request that is sent once. */
export interface Outgoing {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Readable;
  /** How long the head of the answer may take unless --timeout says so; 15 s unless given, 0 for any time. */
  headMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Of a stream; its events may be as far apart as they like. */
const HEAD_TIMEOUT_MS = 15_000;

export class Door {
  readonly #options: ClientOptions;
  readonly #timeoutMs: number | undefined;
  readonly #requests: Requests;
  readonly #agent = new Agent({
    headersTimeout: HEAD_TIMEOUT_MS,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS },
  });

  /** `timeoutMs` is how long a stream may take to begin. */
  constructor(options: ClientOptions, timeoutMs: number | undefined) {
    this.#options = options;
    this.#timeoutMs = timeoutMs;
    this.#requests = new Requests(options);
  }

  /** Throws as the client does, here and below. */
  async get(path: string, limits: ReadOptions): Promise<Answered> {
    return (await this.#requests.get(path, {}, limits)) as Answered;
  }

  async post(path: string, body: object, limits: ReadOptions): Promise<Answered> {
    return (await this.#requests.post(path, body, limits)).body as Answered;
  }

  /** Resolves when the cluster has begun with the events, which end when it ends them; a connection that breaks throws. */
  async openEvents(path: string, lastEventId: string | undefined): Promise<AsyncGenerator<ServerEvent>> {
    const resume: Record<string, string> = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
    const headers = { accept: "text/event-stream", ...resume };
    const response = await this.begin({ method: "GET", path, headers });
    if (response.statusCode === 200) return readUntilBroken(response);
    throw toProblem(response, await readText(response), undefined);
  }

  /** Resolves with the head of the answer, whatever its status; --timeout is how long that may take. Nothing is sent again. */
  async begin(request: Outgoing): Promise<Dispatcher.ResponseData> {
    const beginning = new AbortController();
    const limit = this.#timeoutMs === undefined ? undefined : AbortSignal.timeout(this.#timeoutMs);
    const giveUp = () => beginning.abort(limit?.reason);
    limit?.addEventListener("abort", giveUp);
    try {
      return await this.#send(request, beginning.signal);
    } catch (error) {
      beginning.signal.throwIfAborted();
      throw toConnectionError(error);
    } finally {
      limit?.removeEventListener("abort", giveUp);
    }
  }

  /** Breaks the streams; ends when the requests under way have ended. */
  async close(): Promise<void> {
    await Promise.all([this.#requests.close(), this.#agent.destroy()]);
  }

  #send({ method, path, headers, body, headMs }: Outgoing, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { url, token } = this.#options;
    const { origin, pathname } = new URL(url);
    const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return this.#agent.request({
      origin,
      path: pathname.replace(/\/$/, "") + path,
      method: method as Dispatcher.HttpMethod,
      headers: { ...authorization, ...headers },
      body: body ?? null,
      signal,
      ...(headMs !== undefined && { headersTimeout: headMs }),
    });
  }
}

/** The whole body; where the connection breaks it throws as `begin` does. */
export async function readText({ body }: Dispatcher.ResponseData): Promise<string> {
  return body.text().catch((error) => {
    throw toConnectionError(error);
  });
}

async function* readUntilBroken({ body }: Dispatcher.ResponseData): AsyncGenerator<ServerEvent> {
  try {
    yield* readEvents(body);
  } catch (error) {
    throw toConnectionError(error);
  }
}

function toConnectionError(error: unknown): ConnectionError {
  const { message, code } = error as NodeJS.ErrnoException;
  return new ConnectionError(`no answer: ${message || code}`, undefined, error);
}
