/**
 * The cluster's time is Redis's: what one node writes as a moment another one compares. A node keeps the difference to its
 * own clock, measured now and then, each time as exactly as the round trip allows.
 */

import type { RedisLink } from "../redis/connection.ts";
import type { Part } from "../service/lifecycle.ts";

const MEASURE_MS = 10_000;

export class ClusterClock implements Part {
  readonly #link: RedisLink;
  #offsetMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** In ms since the epoch. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  async start(): Promise<void> {
    await this.#measure();
    this.#timer = setInterval(() => this.#measure(), MEASURE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    try {
      const sentAt = Date.now();
      const [seconds, micros] = await this.#link.call<[string, string]>("time");
      const middle = (sentAt + Date.now()) / 2;
      this.#offsetMs = Math.round(Number(seconds) * 1000 + Number(micros) / 1000 - middle);
    } catch {
      // Redis is away; the last measure will do.
    }
  }
}
