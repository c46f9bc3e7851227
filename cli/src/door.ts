/** Requests that the client of the sdk has no method for: streams of events, and the work queue. */

import { type ClientOptions, ConnectionError, ProblemError, type ReadOptions } from "genserverless/client";
import { Requests } from "genserverless/requests.ts";
import { toProblem } from "genserverless/transport.ts";
import { Agent, type Dispatcher } from "undici";
import { readEvents, type ServerEvent } from "./event-stream.ts";

type Answered = Record<string, unknown>;

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
    const beginning = new AbortController();
    const limit = this.#timeoutMs === undefined ? undefined : AbortSignal.timeout(this.#timeoutMs);
    const giveUp = () => beginning.abort(limit?.reason);
    limit?.addEventListener("abort", giveUp);
    try {
      const response = await this.#open(path, lastEventId, beginning.signal);
      if (response.statusCode === 200) return readUntilBroken(response);
      throw toProblem(response, await response.body.text(), undefined);
    } catch (error) {
      beginning.signal.throwIfAborted();
      throw error instanceof ProblemError ? error : toConnectionError(error);
    } finally {
      limit?.removeEventListener("abort", giveUp);
    }
  }

  /** Breaks the streams; ends when the requests under way have ended. */
  async close(): Promise<void> {
    await Promise.all([this.#requests.close(), this.#agent.destroy()]);
  }

  #open(path: string, lastEventId: string | undefined, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { url, token } = this.#options;
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    const { origin, pathname } = new URL(url);
    return this.#agent.request({ origin, path: pathname.replace(/\/$/, "") + path, method: "GET", headers, signal });
  }
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
