/**
 * What a command prints. With --json every answer is one line of JSON on stdout, a list one line for each of its items; otherwise
 * lines for people. Notes go to stderr, so that stdout can be piped. Nothing that the cluster sent is printed raw: whoever
 * makes a line for people uses `toPrintable`, and JSON is escaped here.
 */

import { once } from "node:events";
import { styleText } from "node:util";
import { type Column, layTable } from "@genserverless/shared/text/table.ts";
import { writeJson } from "./json-text.ts";
import type { Io } from "./settings.ts";

export type Style = "bold" | "dim" | "red" | "yellow" | "green" | "cyan";

export class Output {
  readonly isJson: boolean;
  readonly #io: Io;
  readonly #hasColour: boolean;

  constructor(io: Io, isJson: boolean) {
    this.#io = io;
    this.isJson = isJson;
    this.#hasColour = io.stdout.isTTY === true && !io.env["NO_COLOR"] && io.env["TERM"] !== "dumb";
  }

  /** Whether a screen may be redrawn. */
  get isTerminal(): boolean {
    return this.#io.stdout.isTTY === true && this.#io.env["TERM"] !== "dumb";
  }

  /** One answer. `lines` makes it readable. */
  answer(value: unknown, lines: () => string | readonly string[]): void {
    if (this.isJson) this.line(writeJson(value));
    else for (const line of [lines()].flat()) this.line(line);
  }

  /** A list: a table for people, or `empty` where nothing is in it. */
  table<Item>(items: readonly Item[], columns: readonly Column[], row: (item: Item) => string[], empty: string): void {
    if (this.isJson) for (const item of items) this.line(writeJson(item));
    else if (items.length === 0) this.note(empty);
    else for (const line of this.layTable(columns, items.map(row))) this.line(line);
  }

  /** The titles are bold where there is colour. */
  layTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
    const [titles = "", ...lines] = layTable(columns, rows);
    return [this.paint("bold", titles), ...lines];
  }

  line(text: string): void {
    this.#io.stdout.write(`${text}\n`);
  }

  /** For people who watch; not a part of the answer. */
  note(text: string): void {
    this.#io.stderr.write(`${text}\n`);
  }

  /** Waits for a slow reader. */
  async drained(): Promise<void> {
    if (this.#io.stdout.writableNeedDrain) await once(this.#io.stdout, "drain");
  }

  paint(style: Style, text: string): string {
    return this.#hasColour ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Shows how far long work is, in place; only for people who watch. Returns what takes it away. */
  progress(): { show: (text: string) => void; end: () => void } {
    const { stderr } = this.#io;
    const isSeen = stderr.isTTY === true && !this.isJson;
    const write = (text: string) => void (isSeen && stderr.write(`\r\x1b[K${text}`));
    return { show: write, end: () => write("") };
  }
}
