/** Time as the kit's processes see it: it stands still until it is moved, and rings what was due on the way. */

export interface Alarm {
  readonly dueAt: number;
  cancel(): void;
}

interface Entry extends Alarm {
  readonly ring: () => void;
}

export class VirtualClock {
  #now: number;
  /** The soonest first; of one instant, in the order in which they were set. */
  readonly #entries: Entry[] = [];

  constructor(startAt: number) {
    this.#now = startAt;
  }

  /** Ms since the epoch. */
  get now(): number {
    return this.#now;
  }

  /** When the next alarm is due; undefined where there is none. */
  get nextDueAt(): number | undefined {
    return this.#entries[0]?.dueAt;
  }

  /** Rings when the clock is moved to `dueAt`, or next where that is past. */
  at(dueAt: number, ring: () => void): Alarm {
    const entry: Entry = { dueAt: Math.max(dueAt, this.#now), ring, cancel: () => this.#remove(entry) };
    const later = this.#entries.findLastIndex((other) => other.dueAt <= entry.dueAt) + 1;
    this.#entries.splice(later, 0, entry);
    return entry;
  }

  /** Moves the clock, never back, and rings all that is due at that instant or before. */
  moveTo(time: number): void {
    this.#now = Math.max(this.#now, time);
    for (let next = this.#entries[0]; next && next.dueAt <= this.#now; next = this.#entries[0]) {
      this.#entries.shift();
      next.ring();
    }
  }

  #remove(entry: Entry): void {
    const index = this.#entries.indexOf(entry);
    if (index >= 0) this.#entries.splice(index, 1);
  }
}
