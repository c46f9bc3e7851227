/**
 * The plain skin: every `everyMs` it prints the cluster as plain text. On a terminal it redraws in place, cut to the
 * window; anywhere else (a pipe, a container's log) it appends. While Redis is away the terminal keeps the last picture,
 * dimmed, and a log gets one line a time that says so.
 *
 * It never ends its node: an output that is gone (`| head`) ends only the printing, one that is held up (Ctrl-S) is not
 * written to until it drains, and whatever else goes wrong is told as an event.
 */

import type { Writable } from "node:stream";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { describeRedis, reportCluster } from "../view/report.ts";
import { fitWindow } from "../view/window.ts";
import type { Picture, Watch } from "../watch.ts";

export interface PrinterOptions {
  watch: Watch;
  /** `process.stdout`, or anything that is written to like it. */
  output: Writable & { isTTY?: boolean; columns?: number; rows?: number };
  events: Events;
  everyMs?: number;
  /** Whether the output obeys escape sequences; as a terminal does, where it is absent. */
  redraws?: boolean;
}

const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const DIM = "\x1b[2m";
const PLAIN = "\x1b[0m";

export class Printer implements Part {
  readonly #watch: Watch;
  readonly #output: PrinterOptions["output"];
  readonly #events: Events;
  readonly #everyMs: number;
  readonly #redraws: boolean;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PrinterOptions) {
    this.#watch = options.watch;
    this.#output = options.output;
    this.#events = options.events;
    this.#everyMs = options.everyMs ?? 2000;
    this.#redraws = options.redraws ?? options.output.isTTY === true;
  }

  async start(): Promise<void> {
    if (this.#timer) return;
    // Stays after stop: a write under way may fail later, and an error that nobody hears ends the node.
    this.#output.on("error", this.#lose);
    this.#timer = setInterval(this.#beat, this.#everyMs);
    this.#beat();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #lose = (error: Error): void => {
    if (this.#timer) this.#events.emit("warn", "terminal.lost", { reason: error.message });
    void this.stop();
  };

  readonly #beat = (): void => {
    this.#print().catch((error: unknown) => this.#events.emit("error", "terminal.failed", { err: error }));
  };

  async #print(): Promise<void> {
    const picture = await this.#watch.look();
    if (!this.#timer || this.#output.writableNeedDrain) return;
    this.#output.write(this.#redraws ? this.#redraw(picture) : append(picture));
  }

  #redraw(picture: Picture): string {
    const { columns = 80, rows = 24 } = this.#output;
    const lines = fitWindow([stamp(picture), "", ...body(picture)], columns, rows);
    const text = lines.map((line) => `${line}${CLEAR_LINE}\n`).join("");
    return HOME + (picture.away ? DIM + text + PLAIN : text) + CLEAR_BELOW;
  }
}

function append(picture: Picture): string {
  const lines = picture.away ? [stamp(picture)] : [stamp(picture), ...body(picture), ""];
  return `${lines.join("\n")}\n`;
}

function stamp(picture: Picture): string {
  return `${new Date().toISOString().slice(0, 19)}Z  ${describeRedis(picture)}`;
}

function body({ view, ageMs }: Picture): string[] {
  return view ? reportCluster(view, ageMs, Date.now()) : [];
}
