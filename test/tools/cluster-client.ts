/**
 * A caller of the cluster: HTTP with keep-alive, each answer as it came, errors included. Requests go round the given
 * urls; one that fails on the way (refused, reset, timed out) throws.
 */

import { once } from "node:events";
import type { Agent, IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { http } from "@genserverless/shared/service/http.ts";

export interface Answer {
  status: number;
  body: Record<string, unknown>;
  headers: Record<string, string | string[] | undefined>;
}

export interface RequestOptions {
  idempotencyKey?: string;
  /** This api and no other. */
  url?: string;
  headers?: Record<string, string>;
}

export interface StartOptions extends RequestOptions {
  args?: unknown;
  ifExists?: "error" | "return";
  options?: { tags?: string[]; idleAfterMs?: number };
}

export class ClusterClient {
  readonly #urls: () => readonly string[];
  readonly #agent: Agent;
  #turn = 0;

  constructor(urls: () => readonly string[], connections = 256) {
    this.#urls = urls;
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  }

  start(module: string, key: string, { args, ifExists, options, ...rest }: StartOptions = {}): Promise<Answer> {
    return this.request("POST", "/v1/processes", { module, key, args, ifExists, options }, rest);
  }

  call(pid: string, message: unknown, { timeoutMs, ...rest }: RequestOptions & { timeoutMs?: number } = {}) {
    return this.request("POST", `/v1/processes/${pid}/call`, { message, timeoutMs }, rest);
  }

  cast(pid: string, message: unknown, { delayMs, ...rest }: RequestOptions & { delayMs?: number } = {}) {
    return this.request("POST", `/v1/processes/${pid}/cast`, { message, delayMs }, rest);
  }

  info(pid: string, message: unknown, { delayMs, ...rest }: RequestOptions & { delayMs?: number } = {}) {
    return this.request("POST", `/v1/processes/${pid}/info`, { message, delayMs }, rest);
  }

  stop(pid: string, { reason, ...rest }: RequestOptions & { reason?: string } = {}): Promise<Answer> {
    return this.request("POST", `/v1/processes/${pid}/stop`, { reason }, rest);
  }

  /** What an operator does to it: `pause`, `resume`, `kill` … */
  act(pid: string, verb: string, body?: object, options?: RequestOptions): Promise<Answer> {
    return this.request("POST", `/v1/processes/${pid}/${verb}`, body, options);
  }

  /** The process as its last commit left it. */
  read(pid: string, options: RequestOptions & { withState?: boolean } = {}): Promise<Answer> {
    const { withState = true, ...rest } = options;
    return this.get(`/v1/processes/${pid}${withState ? "?state=true" : ""}`, rest);
  }

  get(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.request("GET", path, undefined, options);
  }

  async request(method: "GET" | "POST" | "DELETE", path: string, body?: unknown, options: RequestOptions = {}) {
    const { idempotencyKey, url = this.#nextUrl(), headers: own } = options;
    const headers: Record<string, string> = { ...own };
    if (body !== undefined) headers["content-type"] ??= "application/json";
    if (idempotencyKey !== undefined) headers["idempotency-key"] = idempotencyKey;
    const sent = http.request(url + path, { method, headers, agent: this.#agent });
    // An answer may come before all was sent, and end the connection.
    sent.on("error", () => {});
    sent.end(typeof body === "string" || body === undefined ? body : JSON.stringify(body));
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: readBody(await text(answer)), headers: answer.headers };
  }

  /** Closes every connection; requests under way fail. */
  async close(): Promise<void> {
    this.#agent.destroy();
  }

  #nextUrl(): string {
    const urls = this.#urls();
    const url = urls[this.#turn++ % urls.length];
    if (url === undefined) throw new Error("there is no api to ask");
    return url;
  }
}

/** What is not a JSON object is kept as `text`. */
function readBody(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {}
  return { text };
}
