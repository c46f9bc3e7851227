/** What happened beside states and replies, in order: the events that a real cluster would log, and what callbacks log. */

import type { Log, Pid } from "../contract.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export type KitEventName =
  /** A callback failed: `code`, `detail`. */
  | "turn.failed"
  /** terminate failed, and the process stopped all the same: `detail`. */
  | "terminate.failed"
  /** The module has no handleInfo: `message`. */
  | "info.ignored"
  /** There was nobody to take it: `kind`, `message`, `reason`. */
  | "message.undeliverable"
  /** It counts no more: of a timer that was cancelled, a monitor that was ended, a link that was undone. */
  | "message.stale"
  /** More crashes than the module's intensity, or a codeChange that failed: `detail`. */
  | "process.quarantined"
  /** `reason`. */
  | "process.ended"
  /** A worker died here. */
  | "process.crashed"
  | "process.passivated";

export interface KitEvent {
  readonly event: KitEventName;
  /** Ms since the epoch. */
  readonly at: number;
  readonly pid: Pid;
  readonly [field: string]: unknown;
}

export interface LogLine {
  readonly level: keyof Log;
  readonly at: number;
  readonly fields: object;
  readonly text: string | undefined;
}

export class Journal {
  readonly events: KitEvent[] = [];
  readonly lines: LogLine[] = [];
  readonly log: Log;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
    const write = (level: keyof Log) => (fields: object, text?: string) => {
      this.lines.push({ level, at: this.#clock.now, fields, text });
    };
    this.log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  note(event: KitEventName, pid: Pid, fields: object = {}): void {
    this.events.push({ event, at: this.#clock.now, pid, ...fields });
  }
}
