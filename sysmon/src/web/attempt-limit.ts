/** Slows down who is wrong again and again: an address may be so `most` times in a window, and waits for the rest of it. */

const MOST_ADDRESSES = 10_000;

export class AttemptLimit {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #failures = new Map<string, number>();
  #endsAtMs = 0;

  constructor({ most = 10, windowMs = 60_000, now = () => performance.now() } = {}) {
    this.#most = most;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** Notes a failure. Returns the whole seconds until this address should try again; 0 while it may. */
  fail(address: string): number {
    this.#turnOver();
    const failures = (this.#failures.get(address) ?? 0) + 1;
    this.#failures.set(address, failures);
    return failures > this.#most ? Math.max(1, Math.ceil((this.#endsAtMs - this.#now()) / 1000)) : 0;
  }

  #turnOver(): void {
    const isOver = this.#now() >= this.#endsAtMs;
    if (isOver || this.#failures.size >= MOST_ADDRESSES) this.#failures.clear();
    if (isOver) this.#endsAtMs = this.#now() + this.#windowMs;
  }
}
