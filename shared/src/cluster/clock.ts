/**
 * The cluster's time is Redis's: what one node writes as a moment another one compares. A node keeps the difference to its
 * own clock, measured now and then, each time as exactly as the round trip allows.
 */

import type { RedisLink } from "../redis/connection.ts";
import { readRedisTime } from "../redis/time.ts";
import type { Part } from "../service/lifecycle.ts";

const MEASURE_MS = 10_000;
/** At the start: one alone may have been held up, and would be used until the next. */
const FIRST_MEASURES = 3;
const TOLERATED_MS = 20;

export class ClusterClock implements Part {
  readonly #link: RedisLink;
  #offsetMs = 0;
  /** How long the last measure took that was taken. */
  #takenMs = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  /** In ms since the epoch. */
  now(): number {
    return Date.now() + this.#offsetMs;
  }

  async start(): Promise<void> {
    for (let left = FIRST_MEASURES; left > 0; left--) await this.#measure();
    this.#timer = setInterval(() => this.#measure(), MEASURE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  async #measure(): Promise<void> {
    try {
      const sentAt = Date.now();
      const redisTime = await readRedisTime(this.#link);
      const takenMs = Date.now() - sentAt;
      // The node was held up meanwhile, and does not know when Redis looked at its clock.
      if (takenMs > this.#takenMs * 2 + TOLERATED_MS) return;
      this.#takenMs = takenMs;
      const middle = sentAt + takenMs / 2;
      this.#offsetMs = Math.round(redisTime - middle);
    } catch {
      // Redis is away; the last measure will do.
    }
  }
}
