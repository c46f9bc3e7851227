/**
 * When entities were terminated: what was sent to one before that, and had still to be handled, is not handled. In memory,
 * for it concerns who waits, and as long as somebody may.
 */

const KEPT_MS = 3_600_000;

export class Terminations {
  /** By key, in ms of the cluster's time; the oldest first. */
  readonly #at = new Map<string, number>();

  note(key: string, now: number): void {
    this.#at.delete(key);
    this.#at.set(key, now);
    for (const [other, at] of this.#at) {
      if (at > now - KEPT_MS) return;
      this.#at.delete(other);
    }
  }

  /** Whether what was sent then was meant for what has been terminated. */
  includes(key: string, sentAt: number | undefined): boolean {
    return sentAt !== undefined && sentAt <= (this.#at.get(key) ?? -Infinity);
  }
}
