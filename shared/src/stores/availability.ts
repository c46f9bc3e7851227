/**
 * What a node knows of a store that may not answer, so that it does not ask in vain: after each silence the store is left
 * alone for a while, 250 ms at first and twice as long each time, 10 s at most. Whoever asks meanwhile is told at once, and
 * nobody waits for a time-out on behalf of somebody who has just seen one.
 */

import type { Events } from "../service/events.ts";
import { StoreUnavailable } from "./store.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

export class Availability {
  readonly #store: string;
  readonly #events: Events;
  #silences = 0;
  #openAt = 0;
  #reason = "";

  constructor(store: string, events: Events) {
    this.#store = store;
    this.#events = events;
  }

  /** Throws StoreUnavailable while the store is left alone. */
  check(now = performance.now()): void {
    if (now < this.#openAt) throw this.#refuse(now);
  }

  noteAnswer(): void {
    if (this.#silences > 0) this.#events.emit("info", "store.reached", { store: this.#store });
    this.#silences = 0;
  }

  /** Of many that were under way together, one counts. */
  noteSilence(reason: string, now = performance.now()): StoreUnavailable {
    if (this.#silences === 0) this.#events.emit("warn", "store.unreachable", { store: this.#store, reason });
    if (now >= this.#openAt) {
      this.#openAt = now + Math.min(FIRST_PAUSE_MS * 2 ** this.#silences, LONGEST_PAUSE_MS);
      this.#silences += 1;
    }
    this.#reason = reason;
    return this.#refuse(now);
  }

  #refuse(now: number): StoreUnavailable {
    return new StoreUnavailable(this.#store, this.#reason, Math.ceil(this.#openAt - now));
  }
}
