/**
 * Reads the cluster's log for any number of readers, with one look at Redis for all of them, four times a second while there
 * is anybody. A reader first gets what it missed – what came after the entry that it knows, or the last so many – and then
 * each new entry once, in order.
 */

import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { isAfter, type LogEntry, type LogFilter, passes, readEntry } from "./log-entry.ts";

export interface LogSubscription {
  filter?: LogFilter;
  /** Resumes after this entry. */
  afterId?: string | undefined;
  /** Begins with up to this many of the past; not with `afterId`. */
  tail?: number;
}

interface Reader {
  filter: LogFilter;
  onEntry: (entry: LogEntry) => void;
  /** What came while the past is still read; undefined from then on. */
  waiting: LogEntry[] | undefined;
}

type RawEntry = [id: string, fields: string[]];

const LOOK_EVERY_MS = 250;
const PAGE = 500;
/** How far back a tail with a filter looks. */
const MOST_PAGES_BACK = 40;

export class LogFeed {
  readonly #link: RedisLink;
  readonly #key: string;
  readonly #readers = new Set<Reader>();
  #timer: NodeJS.Timeout | undefined;
  /** The newest entry that all readers have been told of. */
  #lastId: string | undefined;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#key = keys.logs;
  }

  /** Rejects where the past cannot be read. What ends the subscription is returned. */
  async subscribe(subscription: LogSubscription, onEntry: (entry: LogEntry) => void): Promise<() => void> {
    const { filter = {}, afterId, tail = 0 } = subscription;
    const reader: Reader = { filter, onEntry, waiting: [] };
    this.#lastId ??= await this.#findNewest();
    this.#readers.add(reader);
    this.#timer ??= setTimeout(() => void this.#look(), LOOK_EVERY_MS);
    try {
      const past = afterId === undefined ? await this.readTail(filter, tail) : await this.#readAfter(afterId);
      let last = afterId ?? "0-0";
      for (const entry of [...past, ...(reader.waiting ?? [])]) {
        if (!isAfter(entry.id, last)) continue;
        last = entry.id;
        if (passes(entry, filter)) onEntry(entry);
      }
      reader.waiting = undefined;
    } catch (error) {
      this.#forget(reader);
      throw error;
    }
    return () => this.#forget(reader);
  }

  /** The last entries that pass the filter, the oldest first. */
  async readTail(filter: LogFilter, count: number): Promise<LogEntry[]> {
    const found: LogEntry[] = [];
    let before = "+";
    for (let page = 0; page < MOST_PAGES_BACK && found.length < count; page++) {
      const raw = await this.#link.call<RawEntry[]>("xrevrange", this.#key, before, "-", "COUNT", PAGE);
      found.push(...toEntries(raw).filter((entry) => passes(entry, filter)));
      const last = raw.at(-1);
      if (!last || raw.length < PAGE) break;
      before = `(${last[0]}`;
    }
    return found.slice(0, count).reverse();
  }

  #forget(reader: Reader): void {
    this.#readers.delete(reader);
    if (this.#readers.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lastId = undefined;
  }

  async #findNewest(): Promise<string> {
    const [newest] = await this.#link.call<RawEntry[]>("xrevrange", this.#key, "+", "-", "COUNT", 1);
    return newest?.[0] ?? "0-0";
  }

  async #readAfter(id: string): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    let after = id;
    for (;;) {
      const raw = await this.#link.call<RawEntry[]>("xrange", this.#key, `(${after}`, "+", "COUNT", PAGE);
      entries.push(...toEntries(raw));
      const last = raw.at(-1);
      if (!last || raw.length < PAGE) return entries;
      after = last[0];
    }
  }

  async #look(): Promise<void> {
    try {
      for (const entry of await this.#readAfter(this.#lastId ?? "0-0")) {
        this.#lastId = entry.id;
        for (const { filter, onEntry, waiting } of this.#readers) {
          if (waiting) waiting.push(entry);
          else if (passes(entry, filter)) onEntry(entry);
        }
      }
    } catch {
      // Redis is away; what comes meanwhile is read when it is back.
    }
    this.#timer = this.#readers.size > 0 ? setTimeout(() => void this.#look(), LOOK_EVERY_MS) : undefined;
  }
}

function toEntries(raw: readonly RawEntry[]): LogEntry[] {
  return raw.flatMap(([id, fields]) => readEntry(id, fields[1] ?? "") ?? []);
}
