/** Bounds how often somebody may be wrong: `most` failures of one address, and ten times as many of all, in a window. */

export class AttemptLimit {
  readonly #most: number;
  readonly #windowMs: number;
  readonly #now: () => number;
  #failures = new Map<string, number>();
  #total = 0;
  #endsAtMs = 0;

  constructor({ most = 10, windowMs = 60_000, now = () => performance.now() } = {}) {
    this.#most = most;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** Whole seconds until this address may try again; 0 when it may now. */
  waitOf(address: string): number {
    this.#turnOver();
    const isOver = (this.#failures.get(address) ?? 0) >= this.#most || this.#total >= 10 * this.#most;
    return isOver ? Math.max(1, Math.ceil((this.#endsAtMs - this.#now()) / 1000)) : 0;
  }

  fail(address: string): void {
    this.#turnOver();
    this.#failures.set(address, (this.#failures.get(address) ?? 0) + 1);
    this.#total++;
  }

  #turnOver(): void {
    if (this.#now() < this.#endsAtMs) return;
    this.#failures = new Map();
    this.#total = 0;
    this.#endsAtMs = this.#now() + this.#windowMs;
  }
}
