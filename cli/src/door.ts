/** Requests that the client of the sdk has no method for: streams of events, and the work queue. */

import { ConnectionError, ProblemError } from "genserverless/client";
import { Agent, type Dispatcher } from "undici";
import { readEvents, type ServerEvent } from "./event-stream.ts";
import type { Settings } from "./settings.ts";

export interface Sent {
  method?: "GET" | "POST";
  body?: object;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 5_000;

export class Door {
  readonly #settings: Settings;
  readonly #agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: CONNECT_TIMEOUT_MS } });

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The JSON of an answer. Throws ProblemError, ConnectionError, or the reason of the signal. */
  async request(path: string, sent: Sent = {}): Promise<Record<string, unknown>> {
    const response = await this.#send(path, sent);
    const text = await response.body.text();
    const body = parseObject(text);
    if (response.statusCode < 400 && body) return body;
    throw toProblem(response.statusCode, text, body);
  }

  /** Resolves when the cluster has begun with the events, which end when it ends them; a connection that breaks throws. */
  async openEvents(path: string, lastEventId: string | undefined): Promise<AsyncGenerator<ServerEvent>> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (lastEventId !== undefined) headers["last-event-id"] = lastEventId;
    const response = await this.#send(path, { headers });
    if (response.statusCode === 200) return readUntilBroken(response);
    const text = await response.body.text();
    throw toProblem(response.statusCode, text, parseObject(text));
  }

  /** Breaks what is under way. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #send(path: string, { method = "GET", body, headers, signal }: Sent): Promise<Dispatcher.ResponseData> {
    const { url, token } = this.#settings;
    const all: Record<string, string> = { accept: "application/json", ...headers };
    if (body) all["content-type"] = "application/json";
    if (token !== undefined) all["authorization"] = `Bearer ${token}`;
    const { origin, pathname } = new URL(url);
    const options: Dispatcher.RequestOptions = {
      origin,
      path: pathname.replace(/\/$/, "") + path,
      method,
      headers: all,
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    };
    try {
      return await this.#agent.request(options);
    } catch (error) {
      throw toConnectionError(error, signal);
    }
  }
}

async function* readUntilBroken({ body }: Dispatcher.ResponseData): AsyncGenerator<ServerEvent> {
  try {
    yield* readEvents(body);
  } catch (error) {
    throw toConnectionError(error, undefined);
  }
}

function toConnectionError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const { message, code } = error as NodeJS.ErrnoException;
  return new ConnectionError(`no answer: ${message || code}`, undefined, error);
}

/** The work queue tells its errors in a form of its own. */
function toProblem(status: number, text: string, body: Record<string, unknown> = {}): ProblemError {
  const { code, detail, error, status: told } = body;
  const texts = [detail, error, told].filter((one) => typeof one === "string");
  return new ProblemError({
    status,
    code: typeof code === "string" ? code : `http_${status}`,
    detail: texts[0] ?? `the answer is not the cluster's: ${text.slice(0, 80)}`,
    messageId: undefined,
    retryAfterMs: undefined,
    idempotencyKey: undefined,
  });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
