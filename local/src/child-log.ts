import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** A full file becomes <file>.1, in the place of an older one. */
const FILE_BYTES = 16 * 1024 * 1024;

/** HAProxy writes what it notices about itself to stderr, each line with a level of its own. */
const HAPROXY_LINE = /^\[(NOTICE|WARNING|ALERT)\] +\(\d+\) : (.*)$/;
const HAPROXY_LEVELS: Record<string, string> = { NOTICE: "info", WARNING: "warn", ALERT: "error" };

/**
 * Where a child's output goes: its own file, and npm start's output as JSON lines. A line that is JSON already passes
 * unchanged; any other becomes one, under the child's name.
 */
export class ChildLog {
  readonly #name: string;
  readonly #file: string;
  readonly #print: (line: string) => void;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(name: string, file: string, print: (line: string) => void) {
    this.#name = name;
    this.#file = file;
    this.#print = print;
  }

  /** What is said quietly goes to the file alone. */
  attach(output: Readable, volume: "quiet" | "info" | "error"): void {
    createInterface({ input: output }).on("line", (line) => {
      this.#keep(`${line}\n`);
      if (volume !== "quiet") this.#print(line.startsWith("{") ? line : this.#wrap(line, volume));
    });
  }

  #wrap(line: string, volume: string): string {
    const [, label = "", text = line] = HAPROXY_LINE.exec(line) ?? [];
    const level = HAPROXY_LEVELS[label] ?? volume;
    return JSON.stringify({ level, time: new Date().toISOString(), node: this.#name, msg: text });
  }

  /** A full disk, or a folder that is gone, costs lines in the file, and not the cluster. */
  #keep(line: string): void {
    try {
      if (this.#descriptor !== undefined && this.#bytes > FILE_BYTES) {
        closeSync(this.#descriptor);
        this.#descriptor = undefined;
      }
      this.#descriptor ??= this.#open();
      this.#bytes += writeSync(this.#descriptor, line);
    } catch {}
  }

  #open(): number {
    if (existsSync(this.#file)) renameSync(this.#file, `${this.#file}.1`);
    this.#bytes = 0;
    return openSync(this.#file, "w");
  }
}
