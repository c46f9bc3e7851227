/**
 * The journals of processes, read: a stream with an entry for each event, whose id is the event's sequence, from 1 without a
 * gap. Commits write them (lib/journal.lua). What was cut, reordered or written by another hand is found here, by its sequence.
 */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";

/** An event, as the journal has it. */
export interface JournalEntry {
  sequence: number;
  type: string;
  /** JSON text. */
  dataText: string;
  /** The version of the module that emitted it. */
  version: number;
  /** In ms since the epoch, Redis's time. */
  at: number;
  /** The message whose turn emitted it. */
  messageId: string;
}

/** What the events up to `sequence` had come to. */
export interface StoredSnapshot {
  sequence: number;
  /** The version of the module that took it. */
  version: number;
  /** JSON text. */
  stateText: string;
}

/** What a claim finds: the snapshot, the last sequence, and the first page of what lies between them. Nothing is checked yet. */
export interface StoredJournal {
  /** The snapshot's, for `readSnapshot`. */
  recordText: string;
  /** As the record says. */
  last: number;
  /** How many bytes the data of the largest event have, where that is known. */
  largest: number | undefined;
  /** Of the newest entry that is there, or "". */
  newestId: string;
  /** The highest that the stream has ever had: it takes none that is not higher. */
  topId: string;
  entries: RawEntry[];
}

/** The journal of a process now. */
export interface JournalHead {
  /** Of the process; another one may have another journal. */
  incarnation: string;
  /** Of the module that committed last. */
  version: number;
  /** The first sequence that is kept; `last + 1` where there is none. */
  first: number;
  last: number;
  /** The states that are kept, the earliest first. Where events were cut, the first one is what they had come to. */
  snapshots: StoredSnapshot[];
}

type Values = (string | null)[];

export type RawEntry = [id: string, fields: string[]];

/** The stored events cannot be used. */
export class JournalBroken extends Error {
  override name = "JournalBroken";
}

const PAGE = 1_000;
/** Of whatever size its events are, a page has not many more bytes, or no more than so many events. */
const PAGE_BYTES = 1024 * 1024;
const LEAST_PAGE = 16;

/** The record's text of a process with a journal: `#<sequence> <version> <state>`, or `#0` before the first snapshot. */
export function writeSnapshot({ sequence, version, stateText }: StoredSnapshot): string {
  return `#${sequence} ${version} ${stateText}`;
}

export const NO_SNAPSHOT = "#0";

export function hasJournal(recordText: string | undefined): boolean {
  return recordText?.startsWith("#") ?? false;
}

export function readSnapshot(recordText: string): StoredSnapshot | undefined {
  if (recordText === NO_SNAPSHOT) return undefined;
  const [, sequence, version, stateText] = /^#(\d+) (\d+) (.*)$/s.exec(recordText) ?? [];
  if (stateText === undefined) throw new JournalBroken(`the snapshot ${recordText.slice(0, 40)} is torn`);
  return { sequence: Number(sequence), version: Number(version), stateText };
}

export class Journals {
  readonly #link: RedisLink;
  readonly #keys: Keys;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
  }

  /** Undefined where there is no process, or one without a journal. */
  async readHead(pid: Pid): Promise<JournalHead | undefined> {
    const partition = this.#keys.partitionOf(pid);
    const [[text, last, incarnation, version], [base, next]] = await Promise.all([
      this.#link.call<Values>("hmget", this.#keys.process(partition, pid), "d", "J", "i", "v"),
      this.#link.call<Values>("hmget", this.#keys.snapshots(partition, pid), "base", "next"),
    ]);
    if (!text || !hasJournal(text)) return undefined;
    const snapshots = [base, next, text].flatMap((each) => (each ? (readSnapshot(each) ?? []) : []));
    const first = (base ? (snapshots[0]?.sequence ?? 0) : 0) + 1;
    return {
      incarnation: incarnation ?? "",
      version: Number(version ?? 0),
      first,
      last: Number(last ?? 0),
      snapshots,
    };
  }

  /** At most `limit` events from a sequence on; fewer where they are large, but more than one if there are. Rejects with JournalBroken. */
  async read(pid: Pid, from: number, limit: number): Promise<JournalEntry[]> {
    return toEntries(pid, from, await this.#readRaw(pid, from, limit));
  }

  /**
   * The events from a sequence to another, both included, page by page, of which the first may be there already. It takes half
   * the time where it is known how large an event can be. Rejects with JournalBroken where one is not there.
   */
  async *pages(
    pid: Pid,
    from: number,
    to: number,
    first: readonly RawEntry[] = [],
    largest?: number,
  ): AsyncGenerator<JournalEntry[]> {
    let coming: Promise<readonly RawEntry[]> | undefined = first.length > 0 ? Promise.resolve(first) : undefined;
    for (let next = from; next <= to; ) {
      const raw = await (coming ?? this.#readNext(pid, next, largest));
      // The next page comes while this one is looked at; what has been added since is not asked for.
      const after = next + raw.length;
      coming = raw.length > 0 && after <= to ? this.#readNext(pid, after, largest) : undefined;
      coming?.catch(() => {});
      const page = toEntries(pid, next, raw.slice(0, to - next + 1));
      if (page.length === 0) {
        throw new JournalBroken(`event ${next} of ${pid} is missing: its journal should go to ${to}`);
      }
      yield page;
      next = after;
    }
  }

  #readNext(pid: Pid, from: number, largest: number | undefined): Promise<RawEntry[]> {
    if (largest === undefined) return this.#readRaw(pid, from, PAGE);
    const count = Math.max(LEAST_PAGE, Math.min(PAGE, Math.floor(PAGE_BYTES / Math.max(1, largest))));
    const key = this.#keys.journal(this.#keys.partitionOf(pid), pid);
    return this.#link.call<RawEntry[]>("xrange", key, `${from}-0`, "+", "COUNT", count);
  }

  #readRaw(pid: Pid, from: number, limit: number): Promise<RawEntry[]> {
    const partition = this.#keys.partitionOf(pid);
    const args = [this.#keys.base(partition), from, limit];
    return this.#link.run<RawEntry[]>("read-journal", [this.#keys.journal(partition, pid)], args);
  }
}

function toEntries(pid: Pid, from: number, raw: readonly RawEntry[]): JournalEntry[] {
  return raw.map(([id, fields], index) => {
    const sequence = from + index;
    if (id !== `${sequence}-0`)
      throw new JournalBroken(`event ${sequence} of ${pid} is missing: ${id} stands in its place`);
    // As commits write them, and in no other order.
    const [t, type = "", d, dataText = "", v, version, a, at, m, messageId] = fields;
    if (t !== "t" || d !== "d" || v !== "v" || a !== "a" || m !== "m" || messageId === undefined) {
      const names = fields.filter((_, place) => place % 2 === 0).join(", ");
      throw new JournalBroken(`event ${sequence} of ${pid} is torn: it has ${names || "no fields"}`);
    }
    return { sequence, type, dataText, version: Number(version), at: Number(at), messageId };
  });
}
