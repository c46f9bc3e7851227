/** What became of each message of a world of scripts: whether it was handled once, in its order, or lost. */

import type { Outcome } from "@genserverless/shared/process/outcome.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { mailboxName } from "@genserverless/shared/redis/keys.ts";

/** The content of a message whose order counts. */
export interface Note {
  from: string;
  to: Pid;
  number: number;
}

export class Fates {
  readonly #notes = new Map<string, Note>();
  readonly #accepted = new Set<string>();
  readonly #undeliverable = new Set<string>();
  readonly #deferred = new Set<string>();
  readonly #unordered = new Set<string>();
  /** How often each message was handled. */
  readonly #handled = new Map<string, number>();
  /** Of what one sender sent to one life of a process: the numbers, in the order in which they were handled. */
  readonly #arrivals = new Map<string, number[]>();
  #numbers = 0;

  nextNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** Its place among what its sender sends. */
  number(id: string, from: string, to: Pid): void {
    this.#notes.set(id, { from, to, number: this.nextNumber() });
  }

  noteOf(id: string): Note | null {
    return this.#notes.get(id) ?? null;
  }

  accept(id: string): void {
    this.#accepted.add(id);
  }

  drop(id: string): void {
    this.#undeliverable.add(id);
  }

  defer(id: string): void {
    this.#deferred.add(id);
  }

  handle(id: string, incarnation: string): void {
    this.#handled.set(id, (this.#handled.get(id) ?? 0) + 1);
    const note = this.#notes.get(id);
    if (!note || this.#unordered.has(id)) return;
    const way = `${note.from} to ${mailboxName(note.to, incarnation)}`;
    this.#arrivals.set(way, [...(this.#arrivals.get(way) ?? []), note.number]);
  }

  /** It may be handled once more, at another place. */
  revive(id: string): void {
    this.#unordered.add(id);
    this.#handled.delete(id);
  }

  /** The last that was accepted and not handled. */
  lastWaiting(): string | undefined {
    return [...this.#accepted].findLast((id) => !this.#handled.has(id));
  }

  /** What was accepted and neither handled once and in its order, nor dropped with an outcome that says so. */
  async findLost(readOutcome: (id: string) => Promise<Outcome | undefined>): Promise<string[]> {
    const lost: string[] = [];
    for (const id of this.#accepted) {
      if (this.#undeliverable.has(id) || this.#deferred.has(id) || (await readOutcome(id))) continue;
      lost.push(`${id} was accepted and has no outcome`);
    }
    for (const [id, times] of this.#handled) if (times > 1) lost.push(`${id} was handled ${times} times`);
    for (const [way, numbers] of this.#arrivals) {
      if (numbers.some((number, index) => number < (numbers[index - 1] ?? 0))) lost.push(`${way}: ${numbers}`);
    }
    return lost;
  }
}
