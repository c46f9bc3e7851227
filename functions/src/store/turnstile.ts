/** Lets acts pass: so many at once in all, one at a time of each name, in the order in which they came. */

export class Turnstile {
  readonly #most: number;
  readonly #last = new Map<string, Promise<unknown>>();
  readonly #waiting: (() => void)[] = [];
  #passing = 0;

  constructor(most: number) {
    this.#most = most;
  }

  async pass<T>(name: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const mine = this.#follow(before, act);
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }

  async #follow<T>(before: Promise<unknown> | undefined, act: () => Promise<T>): Promise<T> {
    await before?.catch(() => {});
    if (this.#passing >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#passing++;
    try {
      return await act();
    } finally {
      // Whoever waits takes over the place.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#passing--;
    }
  }
}
