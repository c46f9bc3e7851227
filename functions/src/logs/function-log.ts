/** What one function has printed of late: the last lines, numbered, for readers that come, go and come back. */

import type { LogLine } from "@genserverless/shared/functions/views.ts";

export interface NumberedLine {
  id: string;
  line: LogLine;
}

type Listener = (numbered: NumberedLine) => void;

const MOST_LINES = 1_000;
const MOST_CHARACTERS = 512 * 1_024;

export class FunctionLog {
  /** Ids of an earlier run of the service are none of this one. */
  readonly #epoch: number;
  readonly #lines: LogLine[] = [];
  readonly #listeners = new Set<Listener>();
  #characters = 0;
  #count = 0;

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  append(line: LogLine): void {
    this.#lines.push(line);
    this.#characters += line.text.length;
    this.#count++;
    while (this.#lines.length > MOST_LINES || this.#characters > MOST_CHARACTERS) {
      this.#characters -= this.#lines.shift()?.text.length ?? 0;
    }
    for (const listen of this.#listeners) listen({ id: this.#id(this.#count), line });
  }

  /** What is kept of what came after an id; all where there is none, or where it is of an earlier run. */
  readAfter(id: string | undefined): NumberedLine[] {
    const [epoch, number = 0] = (id ?? "").split("-").map(Number);
    const first = this.#count - this.#lines.length;
    const skipped = epoch === this.#epoch ? Math.max(0, number - first) : 0;
    return this.#lines.slice(skipped).map((line, index) => ({ id: this.#id(first + skipped + index + 1), line }));
  }

  /** Returns what takes the listener away again. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #id(number: number): string {
    return `${this.#epoch}-${number}`;
  }
}
