/**
 * A node's one subscriber connection. Publications are a courtesy: they make things fast and nothing depends on one
 * arriving. After each new connection `onGap` listeners are told that publications may have been missed, so that they
 * look for themselves. A silent connection is found by its own PING.
 */

import type { Redis } from "ioredis";
import type { Part } from "../service/lifecycle.ts";
import { type LinkOptions, openRedis } from "./connection.ts";

export class Subscriber implements Part {
  readonly #redis: Redis;
  readonly #silenceMs: number;
  readonly #handlers = new Map<string, Set<(text: string) => void>>();
  readonly #gapListeners = new Set<() => void>();
  #pinging: NodeJS.Timeout | undefined;

  constructor(options: Pick<LinkOptions, "url" | "name" | "silenceMs">) {
    this.#silenceMs = options.silenceMs;
    this.#redis = openRedis({ ...options, name: `${options.name}:subscriber` });
    this.#redis.on("error", () => {});
    this.#redis.on("ready", () => this.#resubscribe());
    this.#redis.on("message", (channel: string, text: string) => {
      for (const handle of this.#handlers.get(channel) ?? []) handle(text);
    });
  }

  onGap(listener: () => void): void {
    this.#gapListeners.add(listener);
  }

  async start(): Promise<void> {
    const ready = new Promise((resolve) => this.#redis.once("ready", resolve));
    this.#redis.connect().catch(() => {});
    this.#pinging = setInterval(() => this.#redis.ping().catch(() => {}), this.#silenceMs / 2);
    await ready;
  }

  async stop(): Promise<void> {
    clearInterval(this.#pinging);
    this.#redis.disconnect();
  }

  /** Listens on a channel from now on, over every reconnection; beside those who listen there already. */
  async subscribe(channel: string, handler: (text: string) => void): Promise<void> {
    const handlers = this.#handlers.get(channel) ?? new Set();
    this.#handlers.set(channel, handlers.add(handler));
    await this.#redis.subscribe(channel).catch(() => {});
  }

  /** All who listen on the channel stop doing so, or this one. */
  async unsubscribe(channel: string, handler?: (text: string) => void): Promise<void> {
    const handlers = this.#handlers.get(channel);
    if (!handlers) return;
    if (handler) handlers.delete(handler);
    if (handler && handlers.size > 0) return;
    this.#handlers.delete(channel);
    await this.#redis.unsubscribe(channel).catch(() => {});
  }

  async #resubscribe(): Promise<void> {
    try {
      if (this.#handlers.size > 0) await this.#redis.subscribe(...this.#handlers.keys());
      for (const listen of this.#gapListeners) listen();
    } catch {
      if (this.#redis.status === "ready") this.#redis.disconnect(true);
    }
  }
}
