/** Reads that several browsers want at the same moment are done once: what is under way or this young is shared. */

interface Read {
  value: Promise<unknown>;
  startedAtMs: number;
}

const MOST_KEPT = 1_000;

export class SharedReads {
  readonly #ageMs: number;
  readonly #now: () => number;
  readonly #reads = new Map<string, Read>();

  constructor({ ageMs = 500, now = () => performance.now() } = {}) {
    this.#ageMs = ageMs;
    this.#now = now;
  }

  /** `key` names what is read. A read that failed is shared only while it is under way. */
  read<T>(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#reads.get(key);
    if (known && this.#now() - known.startedAtMs < this.#ageMs) return known.value as Promise<T>;
    this.#forgetOld();
    const value = read();
    const made: Read = { value, startedAtMs: this.#now() };
    this.#reads.set(key, made);
    value.catch(() => {
      if (this.#reads.get(key) === made) this.#reads.delete(key);
    });
    return value;
  }

  #forgetOld(): void {
    for (const [key, { startedAtMs }] of this.#reads) {
      if (this.#now() - startedAtMs >= this.#ageMs || this.#reads.size >= MOST_KEPT) this.#reads.delete(key);
    }
  }
}
