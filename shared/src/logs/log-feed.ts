/**
 * Reads the cluster's log for any number of readers, with one look at Redis for all of them, four times a second while there
 * is anybody. A reader first gets what it missed – what came after the entry that it knows, or the last so many – and then
 * each new entry once, in order.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { readStream, type StreamEntry } from "../redis/read-stream.ts";
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
  /** All up to here it has been told, or did not ask for. */
  lastId: string;
  /** What came while the past is still read; undefined from then on. */
  waiting: LogEntry[] | undefined;
}

const LOOK_EVERY_MS = 250;
const PAGE = 500;
/** How far back a tail with a filter looks. */
const MOST_PAGES_BACK = 40;

export class LogFeed {
  readonly #link: RedisLink;
  readonly #key: string;
  readonly #readers = new Set<Reader>();
  #isLooking = false;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#key = keys.logs;
  }

  /** Rejects where the past cannot be read. What ends the subscription is returned. */
  async subscribe(subscription: LogSubscription, onEntry: (entry: LogEntry) => void): Promise<() => void> {
    const { filter = {}, afterId, tail = 0 } = subscription;
    const newest = await this.#findNewest();
    const reader: Reader = { filter, onEntry, lastId: afterId ?? "0-0", waiting: [] };
    this.#readers.add(reader);
    if (!this.#isLooking) void this.#lookOn(newest);
    try {
      const past = afterId === undefined ? await this.readTail(filter, tail) : await this.#readAfter(afterId);
      for (const entry of past) offer(reader, entry);
      if (afterId === undefined && isAfter(newest, reader.lastId)) reader.lastId = newest;
      for (const entry of reader.waiting ?? []) offer(reader, entry);
      reader.waiting = undefined;
    } catch (error) {
      this.#readers.delete(reader);
      throw error;
    }
    return () => void this.#readers.delete(reader);
  }

  /** The last entries that pass the filter, the oldest first. */
  async readTail(filter: LogFilter, count: number): Promise<LogEntry[]> {
    const found: LogEntry[] = [];
    let before = "+";
    for (let page = 0; page < MOST_PAGES_BACK && found.length < count; page++) {
      const raw = await this.#link.call<StreamEntry[]>("xrevrange", this.#key, before, "-", "COUNT", PAGE);
      found.push(...toEntries(raw).filter((entry) => passes(entry, filter)));
      const last = raw.at(-1);
      if (!last || raw.length < PAGE) break;
      before = `(${last[0]}`;
    }
    return found.slice(0, count).reverse();
  }

  async #findNewest(): Promise<string> {
    const [newest] = await this.#link.call<StreamEntry[]>("xrevrange", this.#key, "+", "-", "COUNT", 1);
    return newest?.[0] ?? "0-0";
  }

  async #readAfter(id: string): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    for await (const raw of readStream(this.#link, this.#key, id)) entries.push(...toEntries([raw]));
    return entries;
  }

  /** Tells what comes after an entry, for as long as there is a reader. Never throws. */
  async #lookOn(afterId: string): Promise<void> {
    this.#isLooking = true;
    let lastId = afterId;
    for (;;) {
      await sleep(LOOK_EVERY_MS);
      if (this.#readers.size === 0) break;
      try {
        for await (const raw of readStream(this.#link, this.#key, lastId)) {
          lastId = raw[0];
          for (const entry of toEntries([raw])) this.#tell(entry);
        }
      } catch {
        // Redis is away; what comes meanwhile is read when it is back.
      }
    }
    this.#isLooking = false;
  }

  #tell(entry: LogEntry): void {
    for (const reader of this.#readers) {
      if (reader.waiting) reader.waiting.push(entry);
      else offer(reader, entry);
    }
  }
}

/** The look that serves all is behind what a reader was told of the past. */
function offer(reader: Reader, entry: LogEntry): void {
  if (!isAfter(entry.id, reader.lastId)) return;
  reader.lastId = entry.id;
  if (passes(entry, reader.filter)) reader.onEntry(entry);
}

function toEntries(raw: readonly StreamEntry[]): LogEntry[] {
  return raw.flatMap(([id, fields]) => readEntry(id, fields[1] ?? "") ?? []);
}
