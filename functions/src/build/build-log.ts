/** What happens during a build, line by line: streamed while it happens, and kept with the build. */

import { createWriteStream, type WriteStream } from "node:fs";
import { readFile } from "node:fs/promises";

export interface BuildLine {
  /** From 1. */
  number: number;
  text: string;
}

type Listener = (line: BuildLine | undefined) => void;

const MOST_LINES = 5_000;
const LONGEST_LINE = 2_000;

export class BuildLog {
  readonly lines: string[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #file: WriteStream;
  #isClosed = false;

  constructor(file: string) {
    this.#file = createWriteStream(file);
    this.#file.on("error", () => {});
  }

  append(text: string): void {
    if (this.#isClosed || this.lines.length > MOST_LINES) return;
    const isLast = this.lines.length === MOST_LINES;
    const line = isLast ? "what follows is left out" : text.slice(0, LONGEST_LINE);
    this.lines.push(line);
    this.#file.write(`${line}\n`);
    for (const listen of this.#listeners) listen({ number: this.lines.length, text: line });
  }

  /** All is said, and on the disk. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await new Promise<void>((resolve) => this.#file.end(resolve));
  }

  /** Tells listeners that the build has ended; its log can be read from the disk from now on. */
  finish(): void {
    for (const listen of this.#listeners) listen(undefined);
    this.#listeners.clear();
  }

  /** Returns what takes the listener away again. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export async function readBuildLog(file: string): Promise<string[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
