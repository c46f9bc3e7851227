/** What a callback logs, gathered so that it can travel with the answer: `MOST_LINES` and `MOST_CHARACTERS` of a turn. */

import { inspect } from "node:util";
import type { Log } from "../contract.ts";
import type { LogLevel, LogLine } from "./wire.ts";

const MOST_LINES = 1_000;
const MOST_CHARACTERS = 256 * 1024;

export class LogLines implements Log {
  readonly #lines: LogLine[] = [];
  #characters = 0;
  #dropped = 0;

  debug(fields: object, text?: string): void {
    this.#add("debug", fields, text);
  }

  info(fields: object, text?: string): void {
    this.#add("info", fields, text);
  }

  warn(fields: object, text?: string): void {
    this.#add("warn", fields, text);
  }

  error(fields: object, text?: string): void {
    this.#add("error", fields, text);
  }

  /** All of them; the last says how many there was no room for. */
  take(): LogLine[] {
    if (this.#dropped === 0) return [...this.#lines];
    return [...this.#lines, { level: "warn", fields: { dropped: this.#dropped }, text: "log lines were dropped" }];
  }

  /** A context has put `pid` to the fields, and those that have a name of the cluster's under `fields`: so will the worker. */
  #add(level: LogLevel, { pid: _, fields: nested, ...rest }: { pid?: unknown; fields?: object }, text?: string): void {
    const fields = { ...rest, ...nested };
    const json = toJson(fields);
    this.#characters += json.length + (text?.length ?? 0);
    if (this.#lines.length >= MOST_LINES || this.#characters > MOST_CHARACTERS) this.#dropped += 1;
    else this.#lines.push({ level, fields: JSON.parse(json) as object, ...(text !== undefined && { text }) });
  }
}

/** What JSON has no word for is shown as Node shows it. */
function toJson(fields: object): string {
  try {
    return JSON.stringify(fields, (_name, value: unknown) => {
      if (value instanceof Error) return { type: value.name, message: value.message, stack: value.stack };
      return typeof value === "bigint" ? String(value) : value;
    });
  } catch {
    return JSON.stringify({ fields: inspect(fields).slice(0, 2_000) });
  }
}
