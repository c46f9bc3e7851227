/**
 * The way from the cluster to one web app: signed requests over kept-alive connections, HTTP/2 where it is offered, and
 * answers that count only when they are signed too. A request that was surely not taken is sent a second time: after a
 * moment where the connection was refused, and by undici where an HTTP/2 server says that it has refused the stream, or was
 * leaving before it. No other is.
 *
 * Where an answer was late the connections are left to what is still under way on them: one of HTTP/2 outlives its requests,
 * and would otherwise bring every later one to an app, or to a copy of it, that hangs.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { firstLineOf } from "../runtime/turn-errors.ts";
import { isAnswerSigned, signRequest } from "./signature.ts";
import { HEADERS, MOST_BODY_BYTES } from "./wire.ts";

export interface EndpointRequest {
  method: "GET" | "POST";
  /** JSON text. */
  body?: string;
  withinMs: number;
  signal?: AbortSignal;
}

export interface EndpointAnswer {
  status: number;
  body: unknown;
}

/** There is no answer that counts; the message names the URL and the cause, and holds nothing that is secret. */
export class EndpointError extends Error {
  override name = "EndpointError";
  readonly isLate: boolean;

  constructor(message: string, isLate = false) {
    super(message);
    this.isLate = isLate;
  }
}

const CONNECTIONS = 256;
const CONNECT_TIMEOUT_MS = 10_000;
const REFUSED_PAUSE_MS = 50;
/** Below what servers usually wait, so that they do not close a connection under a request. */
const KEEP_ALIVE_MS = 4_000;
/** An unsigned answer is told by its code where that is one of ours, and nothing else of it is read. */
const CODE = /^[a-z_]{1,40}$/;
const MOST_UNSIGNED_BYTES = 4_096;

export class Endpoint {
  /** The URL as errors name it, without its query. */
  readonly name: string;
  readonly #target: string;
  readonly #origin: string;
  readonly #secret: string;
  #pool: Pool;
  /** Of earlier, as long as requests are under way on them. */
  readonly #left = new Set<Pool>();

  constructor(url: URL, secret: string) {
    this.name = url.origin + url.pathname;
    this.#target = url.pathname + url.search;
    this.#origin = url.origin;
    this.#secret = secret;
    this.#pool = this.#open();
  }

  /** Rejects with EndpointError, or the reason of the signal. */
  async send(request: EndpointRequest): Promise<EndpointAnswer> {
    const { withinMs, signal } = request;
    signal?.throwIfAborted();
    const pool = this.#pool;
    const controller = new AbortController();
    const abort = () => controller.abort();
    const timer = setTimeout(abort, Math.max(withinMs, 1));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await this.#sendTwice(request, Date.now() + withinMs, controller.signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof EndpointError) throw error;
      if (!controller.signal.aborted) throw new EndpointError(`${this.name}: ${describe(error)}`);
      this.#leave(pool);
      throw new EndpointError(`${this.name} did not answer within ${withinMs} ms`, true);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Requests under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.#pool, ...this.#left].map((pool) => pool.destroy()));
  }

  #open(): Pool {
    return new Pool(this.#origin, {
      allowH2: true,
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_TIMEOUT_MS },
    });
  }

  #leave(pool: Pool): void {
    if (pool !== this.#pool) return;
    this.#pool = this.#open();
    this.#left.add(pool);
    const forget = () => void this.#left.delete(pool);
    pool.close().then(forget, forget);
  }

  async #sendTwice(request: EndpointRequest, endsAt: number, signal: AbortSignal): Promise<EndpointAnswer> {
    try {
      return await this.#sendOnce(request, endsAt, signal);
    } catch (error) {
      if (codeOf(error) !== "ECONNREFUSED") throw error;
      await sleep(REFUSED_PAUSE_MS, undefined, { signal });
      return await this.#sendOnce(request, endsAt, signal);
    }
  }

  async #sendOnce(
    { method, body = "" }: EndpointRequest,
    endsAt: number,
    signal: AbortSignal,
  ): Promise<EndpointAnswer> {
    const signed = signRequest(this.#secret, { method, target: this.#target, body });
    const headers = {
      accept: "application/json, application/problem+json",
      ...(method === "POST" && { "content-type": "application/json" }),
      ...signed,
      [HEADERS.deadline]: String(endsAt),
      [HEADERS.deadlineMs]: String(Math.max(1, endsAt - Date.now())),
    };
    const options: Dispatcher.RequestOptions = { method, path: this.#target, headers, signal };
    if (method === "POST") options.body = body;
    const response = await this.#pool.request(options);
    const bytes = await this.#readBody(response);
    return this.#readAnswer(response, bytes, signed[HEADERS.nonce] ?? "");
  }

  async #readBody({ body }: Dispatcher.ResponseData): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MOST_BODY_BYTES)
        throw new EndpointError(`${this.name}: the answer has more than ${MOST_BODY_BYTES} bytes`);
    }
    return Buffer.concat(chunks);
  }

  #readAnswer({ statusCode: status, headers }: Dispatcher.ResponseData, bytes: Buffer, nonce: string): EndpointAnswer {
    const signature = headers[HEADERS.signature];
    if (!isAnswerSigned(this.#secret, nonce, status, bytes, typeof signature === "string" ? signature : undefined)) {
      const { code } = (parseJson(bytes.subarray(0, MOST_UNSIGNED_BYTES)) ?? {}) as { code?: unknown };
      const said = typeof code === "string" && CODE.test(code) ? ` ${code}` : "";
      const what = signature === undefined ? "not signed" : "wrongly signed";
      throw new EndpointError(`${this.name} answered ${status}${said}, and the answer is ${what}`);
    }
    const body = parseJson(bytes);
    if (body === undefined) throw new EndpointError(`${this.name} answered ${status} with what is not JSON`);
    return { status, body };
  }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** Where every address of a name has refused, the error is made of theirs. */
function codeOf(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  if (typeof code === "string") return code;
  return cause === undefined ? undefined : codeOf(cause);
}

function describe(error: unknown): string {
  const code = codeOf(error);
  const message = firstLineOf(error) || "no answer";
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
