/** How a client's methods become requests. */

import { randomUUID } from "node:crypto";
import { type Answer, Transport, type TransportOptions } from "./transport.ts";

export interface RequestOptions {
  /** Requests with one key and one body are done once and answered alike; a random one is sent unless given. */
  idempotencyKey?: string;
  signal?: AbortSignal;
}

export interface ReadOptions {
  signal?: AbortSignal;
}

export class Requests {
  readonly #transport: Transport;

  constructor(options: TransportOptions) {
    this.#transport = new Transport(options);
  }

  /** `waitMs` is how long the cluster may take before it answers, here and below. */
  post(path: string, body: object, options: RequestOptions, waitMs = 0): Promise<Answer> {
    const { idempotencyKey = randomUUID(), signal } = options;
    return this.#transport.send({ method: "POST", path, body, waitMs, idempotencyKey, signal });
  }

  async get(path: string, query: object, { signal }: ReadOptions, waitMs = 0): Promise<unknown> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = given.length > 0 ? `?${new URLSearchParams(given)}` : "";
    return (await this.#transport.send({ method: "GET", path: path + search, waitMs, signal })).body;
  }

  async delete(path: string, { signal }: ReadOptions): Promise<unknown> {
    return (await this.#transport.send({ method: "DELETE", path, waitMs: 0, signal })).body;
  }

  close(): Promise<void> {
    return this.#transport.close();
  }
}

export function pathOf(pid: string): string {
  const parts = pid.split("/");
  if (parts.length !== 2) throw new TypeError(`a pid is module/key, not ${JSON.stringify(pid)}`);
  return `/v1/processes/${parts.map(encodeURIComponent).join("/")}`;
}
