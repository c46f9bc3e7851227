/** What the journal of a process says: its events, as they are shown. */

import { JournalBroken, type JournalEntry, type JournalHead, Journals } from "@genserverless/shared/cluster/journal.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

export interface JournalEvent {
  sequence: number;
  type: string;
  data: unknown;
  /** Of the module that emitted it. */
  version: number;
  /** ISO 8601. */
  at: string;
  /** The message whose turn emitted it. */
  messageId: string;
}

export interface JournalPage {
  pid: Pid;
  /** The first that is kept; `last + 1` where there is none. */
  first: number;
  last: number;
  events: JournalEvent[];
  /** Where the next page begins, where there is more. */
  next?: number;
}

/** What is asked for lies before the first event that is kept. */
export class JournalCut extends Error {
  override name = "JournalCut";
  readonly first: number;

  constructor(pid: Pid, first: number) {
    super(`the journal of ${pid} is kept from event ${first} on`);
    this.first = first;
  }
}

/** Of the data of a page's events, about. */
const MOST_BYTES = 8 * 1024 * 1024;

export class JournalReader {
  readonly journals: Journals;
  readonly #link: RedisLink;
  readonly #keys: Keys;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
    this.journals = new Journals(link, keys);
  }

  /** Rejects with `no_process`, `not_started`, `no_journal`, or JournalBroken. */
  async readHead(pid: Pid): Promise<JournalHead> {
    const head = await this.journals.readHead(pid);
    if (head) return head;
    const key = this.#keys.process(this.#keys.partitionOf(pid), pid);
    const [status, hasState] = await Promise.all([
      this.#link.call<string | null>("hget", key, "s"),
      this.#link.call<number>("hexists", key, "d"),
    ]);
    if (status === null) throw new ClusterError("no_process", `${pid} is not there`);
    if (hasState === 0) throw new ClusterError("not_started", `${pid} has not begun yet`);
    throw new ClusterError("no_journal", `${pid} keeps its state, and no journal of events`);
  }

  /** Undefined where there is no process. It costs less than the head. */
  async readLast(pid: Pid): Promise<number | undefined> {
    const key = this.#keys.process(this.#keys.partitionOf(pid), pid);
    const [incarnation, last] = await this.#link.call<(string | null)[]>("hmget", key, "i", "J");
    return incarnation ? Number(last ?? 0) : undefined;
  }

  async readIncarnation(pid: Pid): Promise<string | undefined> {
    const key = this.#keys.process(this.#keys.partitionOf(pid), pid);
    return (await this.#link.call<string | null>("hget", key, "i")) ?? undefined;
  }

  /** From the first that is kept unless given. Fewer events than asked for, and `next`, where they are large. */
  async readPage(pid: Pid, from: number | undefined, limit: number): Promise<JournalPage> {
    const { first, last } = await this.readHead(pid);
    const start = from ?? first;
    if (start < first) throw new JournalCut(pid, first);
    const events = await this.#readEvents(pid, start, Math.min(last, start + limit - 1));
    const next = start + events.length;
    return { pid, first, last, events, ...(next <= last && { next }) };
  }

  async #readEvents(pid: Pid, from: number, to: number): Promise<JournalEvent[]> {
    const events: JournalEvent[] = [];
    for (let next = from, bytes = 0; next <= to && bytes < MOST_BYTES; next = from + events.length) {
      const entries = await this.#readChunk(pid, next, to - next + 1);
      for (const entry of entries) bytes += entry.dataText.length;
      events.push(...entries.map((entry) => toEvent(pid, entry)));
    }
    return events;
  }

  async #readChunk(pid: Pid, from: number, limit: number): Promise<JournalEntry[]> {
    try {
      const entries = await this.journals.read(pid, from, limit);
      if (entries.length > 0) return entries;
      throw new JournalBroken(`event ${from} of ${pid} is missing`);
    } catch (error) {
      if (!(error instanceof JournalBroken)) throw error;
      // It may have been cut, or have gone with its process, since the head was read.
      const { first } = await this.readHead(pid);
      throw from < first ? new JournalCut(pid, first) : error;
    }
  }
}

/** Throws JournalBroken where its data is no JSON. */
export function toEvent(pid: Pid, { dataText, at, ...event }: JournalEntry): JournalEvent {
  const { sequence, type, version, messageId } = event;
  try {
    const data = JSON.parse(dataText) as unknown;
    return { sequence, type, data, version, at: new Date(at).toISOString(), messageId };
  } catch {
    throw new JournalBroken(`event ${sequence} of ${pid} is torn: its data is no JSON, or its time none`);
  }
}
