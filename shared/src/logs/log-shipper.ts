/**
 * Brings a node's log lines to the cluster's capped stream, beside stdout. Lines are a courtesy: they wait in memory until
 * Redis is there, the oldest of too many go, and how many went is a line of its own once it is back. A line whose answer was
 * lost is not sent again: missing is better than twice.
 */

import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import type { Part } from "../service/lifecycle.ts";

export interface LogShipperOptions {
  node: string;
  link: RedisLink;
  keys: Keys;
  /** About how many entries the stream keeps; 0 ships nothing. */
  entries: number;
}

const SHIP_EVERY_MS = 100;
const MOST_WAITING = 1_000;
const MOST_LENGTH = 16_384;

export class LogShipper implements Part {
  readonly #lines: string[] = [];
  #options: LogShipperOptions | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #isOpen = false;
  #isStopped = false;

  /** Where the lines go, once it is open. */
  connect(options: LogShipperOptions): void {
    this.#options = options;
    if (options.entries === 0) this.#isStopped = true;
  }

  /** This node has joined the cluster whose log it is: until then its lines wait, for a node that is refused leaves no trace. */
  open(): void {
    this.#isOpen = true;
  }

  /** Takes one JSON line; pino's destination. */
  write(line: string): void {
    if (this.#isStopped) return;
    this.#lines.push(line.length > MOST_LENGTH ? cutShort(line) : line);
    if (this.#lines.length > MOST_WAITING) {
      this.#lines.shift();
      this.#dropped += 1;
    }
    this.#timer ??= setTimeout(() => void this.#ship(), SHIP_EVERY_MS);
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#ship();
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #ship(): Promise<void> {
    this.#timer = undefined;
    if (!this.#isOpen || !this.#options?.link.isUp) {
      this.#timer = setTimeout(() => void this.#ship(), SHIP_EVERY_MS * 5).unref();
      return;
    }
    const { node, link, keys, entries } = this.#options;
    const lines = this.#lines.splice(0);
    if (this.#dropped > 0) lines.push(describeDropped(node, this.#dropped));
    this.#dropped = 0;
    const add = (line: string) => link.call("xadd", keys.logs, "MAXLEN", "~", entries, "*", "l", line);
    await Promise.allSettled(lines.map(add));
  }
}

function describeDropped(node: string, count: number): string {
  return JSON.stringify({ level: "warn", time: new Date().toISOString(), node, msg: "logs.dropped", count });
}

/** What is too long for the stream is on stdout in full. */
function cutShort(line: string): string {
  const { level, time, node, msg, pid } = JSON.parse(line) as Record<string, unknown>;
  const text = typeof msg === "string" ? msg.slice(0, MOST_LENGTH / 4) : msg;
  return JSON.stringify({ level, time, node, msg: text, pid, isCut: true });
}
