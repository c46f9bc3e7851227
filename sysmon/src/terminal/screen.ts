/**
 * The terminal as blessed gives it: keys in, rows out, the alternate screen while it is open. A row is written when it
 * differs from what stands there, each at its own place, so that a terminal that counts the columns of a character
 * otherwise can spoil no other row.
 *
 * `close` gives the terminal back as it was, whatever happened; it runs at the exit of the operating-system process at
 * the latest. Only blessed's program is used, and of its sequences those that every ECMA-48 terminal has: its terminfo
 * compiler does not read today's entries.
 */

import type { ReadStream, WriteStream } from "node:tty";
import blessed from "blessed";
import type { Line } from "../view/line.ts";
import { type Ink, inkRow } from "./ink.ts";
import { type Keypress, nameKey } from "./keys.ts";

export interface ScreenOptions {
  input: ReadStream;
  output: WriteStream;
  ink: Ink;
  onKey: (name: string, character: string | undefined) => void;
  onResize: () => void;
  /** The terminal is gone. */
  onLost: (error: Error) => void;
}

type Program = ReturnType<typeof blessed.program>;

const ALTERNATE = "\x1b[?1049h";
const NORMAL = "\x1b[?1049l";
const NO_WRAP = "\x1b[?7l";
const WRAP = "\x1b[?7h";
const CLEAR = "\x1b[2J";
const CLEAR_ROW = "\x1b[K";
const PLAIN = "\x1b[0m";

export class Screen {
  readonly #options: ScreenOptions;
  #program: Program | undefined;
  /** What stands in each row. */
  #rows: string[] = [];

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  get columns(): number {
    return this.#options.output.columns || 80;
  }

  get rows(): number {
    return this.#options.output.rows || 24;
  }

  open(): void {
    if (this.#program) return;
    const { input, output, onKey, onResize, onLost } = this.#options;
    // Both stay: a write under way may fail after close, and an error that nobody hears ends the node.
    input.on("error", onLost);
    output.on("error", onLost);
    const program = openProgram(input, output);
    this.#program = program;
    process.on("exit", this.close);
    // Not by blessed: it enters twice, and the cursor does not come back to where it was.
    output.write(ALTERNATE + NO_WRAP + PLAIN + CLEAR);
    program.hideCursor();
    program.on("keypress", (character: string | undefined, key: Keypress) => {
      const name = nameKey(character, key);
      if (name) onKey(name, character);
    });
    program.on("resize", () => {
      this.forget();
      onResize();
    });
  }

  /** Draws these rows from the top. Where the terminal does not take more now (Ctrl-S), nothing is drawn. */
  draw(lines: readonly Line[]): void {
    const { output, ink } = this.#options;
    if (!this.#program || output.writableNeedDrain) return;
    const isNew = this.#rows.length === 0;
    const rows = lines.map((line) => inkRow(line, ink));
    const changes = rows.flatMap((row, y) =>
      row === this.#rows[y] ? [] : [`\x1b[${y + 1};1H${PLAIN}${CLEAR_ROW}${row}${PLAIN}`],
    );
    this.#rows = rows;
    const text = (isNew ? PLAIN + CLEAR : "") + changes.join("");
    if (text) output.write(text);
  }

  /** The next draw draws all. */
  forget(): void {
    this.#rows = [];
  }

  readonly close = (): void => {
    const program = this.#program;
    if (!program) return;
    this.#program = undefined;
    process.off("exit", this.close);
    const { input, output } = this.#options;
    program.showCursor();
    output.write(PLAIN + WRAP + NORMAL);
    program.destroy();
    if (input.isRaw) input.setRawMode(false);
    input.pause();
  };
}

function openProgram(input: ReadStream, output: WriteStream): Program {
  // blessed's types take these options for those of its widgets' screen.
  const options: object = { input, output, tput: false, buffer: false };
  return blessed.program(options);
}
