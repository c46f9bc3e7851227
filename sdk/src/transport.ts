/**
 * One client's way to the cluster: a pool of kept-alive connections, and the rule about repeating.
 *
 * A request is repeated when no answer came (the connection was refused, or broke) and when the answer was 502 or 503:
 * up to `attempts` in all, after 100, 200, 400 … ms with jitter, or the Retry-After if that is longer. That is safe: a
 * GET changes nothing, and every POST carries an Idempotency-Key and the same body, so that the cluster does it once and
 * gives the same answer again. A DELETE has no key and is sent once. Everything else, 429 and 504 among it, is for the
 * caller to judge.
 *
 * A request with its repeats ends `graceMs` after the time that it may wait by itself, or when the caller's signal says so.
 */

import { setTimeout as delay } from "node:timers/promises";
import { type Dispatcher, Pool } from "undici";
import { ConnectionError, ProblemError } from "./request-errors.ts";

export interface TransportOptions {
  /** The load balancer, e.g. `http://127.0.0.1:8080`. */
  url: string;
  /** Sent as a bearer token. */
  token?: string;
  /** How often a request is sent at most; 5 unless given, 1 for no repeats. */
  attempts?: number;
  /** How long a request with its repeats may take beyond the time that it may wait by itself; 15,000 unless given. */
  graceMs?: number;
}

export interface Request {
  method: "GET" | "POST" | "DELETE";
  path: string;
  body?: object;
  /** How long the cluster may take before it answers. */
  waitMs: number;
  idempotencyKey?: string;
  signal?: AbortSignal | undefined;
}

export interface Answer {
  status: number;
  body: unknown;
}

const FIRST_PAUSE_MS = 100;
const CONNECT_TIMEOUT_MS = 5_000;
const REPEATED_STATUSES = [502, 503];
const CONNECTION_FAILURES = [
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
  "ENOTFOUND",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
];

export class Transport {
  readonly #pool: Pool;
  readonly #basePath: string;
  readonly #token: string | undefined;
  readonly #attempts: number;
  readonly #graceMs: number;

  constructor({ url, token, attempts = 5, graceMs = 15_000 }: TransportOptions) {
    const { origin, pathname } = new URL(url);
    this.#basePath = pathname.replace(/\/$/, "");
    this.#token = token;
    this.#attempts = attempts;
    this.#graceMs = graceMs;
    this.#pool = new Pool(origin, { headersTimeout: 0, bodyTimeout: 0, connect: { timeout: CONNECT_TIMEOUT_MS } });
  }

  /** Throws ProblemError, ConnectionError, or the reason of the caller's signal. */
  async send(request: Request): Promise<Answer> {
    const budgetMs = request.waitMs + this.#graceMs;
    const endsAt = performance.now() + budgetMs;
    const deadline = AbortSignal.timeout(budgetMs);
    const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(request, signal);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (deadline.aborted) throw new ConnectionError(`no answer in ${budgetMs} ms`, request.idempotencyKey, error);
        const pauseMs = pauseBefore(attempt, error);
        const isLast = attempt >= this.#attempts || performance.now() + pauseMs >= endsAt;
        if (isLast || request.method === "DELETE" || !isRepeatable(error)) throw error;
        await pause(pauseMs, request.signal);
      }
    }
  }

  /** Ends when the requests under way have ended. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  async #attempt(request: Request, signal: AbortSignal): Promise<Answer> {
    const { method, path, body, idempotencyKey } = request;
    const headers: Record<string, string> = { accept: "application/json, application/problem+json" };
    if (body) headers["content-type"] = "application/json";
    if (idempotencyKey) headers["idempotency-key"] = idempotencyKey;
    if (this.#token) headers["authorization"] = `Bearer ${this.#token}`;
    try {
      const options: Dispatcher.RequestOptions = { method, path: this.#basePath + path, headers, signal };
      if (body) options.body = JSON.stringify(body);
      const response = await this.#pool.request(options);
      return readAnswer(response, await response.body.text(), idempotencyKey);
    } catch (error) {
      if (signal.aborted || !isConnectionFailure(error)) throw error;
      throw new ConnectionError(`no answer: ${error.message || error.code}`, idempotencyKey, error);
    }
  }
}

function readAnswer(response: Dispatcher.ResponseData, text: string, idempotencyKey: string | undefined): Answer {
  const body = parseJson(text);
  if (response.statusCode < 400 && body !== undefined) return { status: response.statusCode, body };
  throw toProblem(response, text, idempotencyKey);
}

/** `text` is the whole body. */
export function toProblem(
  { statusCode: status, headers }: Pick<Dispatcher.ResponseData, "statusCode" | "headers">,
  text: string,
  idempotencyKey: string | undefined,
): ProblemError {
  const body = parseJson(text);
  const problem: Record<string, unknown> = typeof body === "object" ? { ...body } : {};
  const { code, detail, messageId } = problem;
  // Projects and functions refuse with `message`, the work queue with `error`; it knows no work with a `status` in words.
  const told = [detail, problem["message"], problem["error"], problem["status"]];
  const words = told.find((value) => typeof value === "string");
  return new ProblemError({
    status,
    code: typeof code === "string" ? code : `http_${status}`,
    detail: words ?? `the answer is not the cluster's: ${text.slice(0, 80)}`,
    messageId: typeof messageId === "string" ? messageId : undefined,
    retryAfterMs: readSeconds(headers["retry-after"]),
    idempotencyKey,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readSeconds(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d+$/.test(header) ? Number(header) * 1_000 : undefined;
}

function isRepeatable(error: unknown): boolean {
  return (
    error instanceof ConnectionError || (error instanceof ProblemError && REPEATED_STATUSES.includes(error.status))
  );
}

function pauseBefore(attempt: number, error: unknown): number {
  const jittered = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
  const asked = error instanceof ProblemError ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(jittered, asked);
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(ms, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted());
}

function isConnectionFailure(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && CONNECTION_FAILURES.includes(String(error.code));
}
