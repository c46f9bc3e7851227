/**
 * How many sandboxes there may be on this machine, and how many may be starting at once. Whoever finds no place waits in
 * line; when all are taken, the sandbox that has been idle longest has to go.
 */

export interface Place {
  /** The sandbox has started, or never will: the next may. */
  started(): void;
  /** The sandbox is gone. */
  free(): void;
}

export class Places {
  readonly #most: number;
  readonly #mostStarting: number;
  readonly #evict: () => boolean;
  readonly #waiting: ((place: Place) => void)[] = [];
  #taken = 0;
  #starting = 0;
  #leaving = 0;

  /** `evict` ends an idle sandbox; false where there is none. */
  constructor(options: { most: number; mostStarting: number; evict: () => boolean }) {
    this.#most = options.most;
    this.#mostStarting = options.mostStarting;
    this.#evict = options.evict;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Whether another needs nobody to go. */
  get hasRoom(): boolean {
    return this.#taken + this.#waiting.length < this.#most;
  }

  take(): Promise<Place> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#serve();
    });
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#starting < this.#mostStarting && this.#taken < this.#most) {
      this.#taken++;
      this.#starting++;
      this.#waiting.shift()?.(this.#makePlace());
    }
    if (this.#taken < this.#most) return;
    while (this.#leaving < this.#waiting.length && this.#evict()) this.#leaving++;
  }

  #makePlace(): Place {
    let isStarting = true;
    let isTaken = true;
    const started = () => {
      if (!isStarting) return;
      isStarting = false;
      this.#starting--;
      this.#serve();
    };
    const free = () => {
      if (!isTaken) return;
      isTaken = false;
      this.#taken--;
      this.#leaving = Math.max(0, this.#leaving - 1);
      started();
      this.#serve();
    };
    return { started, free };
  }
}
