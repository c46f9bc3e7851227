/** Looks into a mailbox: what is in hand, what waits, in its order, and what is delayed. It takes nothing out. */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import type { ProcessReader } from "./process-reader.ts";
import { toIso } from "./time.ts";
import type { MailboxPeek, QueuedMessage } from "./views.ts";

/** So much of messages is read for one answer; what does not fit is left out. */
const MOST_BYTES = 8 * 1024 * 1024;
const CHUNK = 50;

export class MailboxReader {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #processes: ProcessReader;

  constructor(link: RedisLink, keys: Keys, processes: ProcessReader) {
    this.#link = link;
    this.#keys = keys;
    this.#processes = processes;
  }

  /** Up to `limit` of each: in hand, waiting, delayed. Undefined where there is no process, or it is stopped. */
  async peek(pid: Pid, limit: number): Promise<MailboxPeek | undefined> {
    const record = await this.#processes.readRecord(pid);
    if (!record || record.status === "stopped") return undefined;
    const { incarnation, status, reason } = record;
    const partition = this.#keys.partitionOf(pid);
    const name = mailboxName(pid, incarnation);
    const part = (what: string) => this.#keys.queue(partition, name, what);
    const [owed, inHand, waiting, prioritized, delayed, mailbox] = await Promise.all([
      this.#link.call<string | null>("hget", this.#keys.process(partition, pid), "q"),
      this.#link.call<string[]>("lrange", part("active"), -limit, -1),
      this.#link.call<string[]>("lrange", part("wait"), -limit, -1),
      this.#link.call<string[]>("zrange", part("prioritized"), 0, limit - 1),
      this.#link.call<string[]>("zrange", part("delayed"), 0, limit - 1, "WITHSCORES"),
      this.#processes.countMail(pid, incarnation),
    ]);
    const budget = { bytes: MOST_BYTES };
    const read = (ids: readonly string[]) => this.#readMessages(partition, name, ids, budget);
    return {
      pid,
      status,
      ...(reason !== undefined && { reason }),
      mailbox,
      ...(owed !== null && { continue: { value: JSON.parse(owed) as unknown } }),
      running: await read(inHand.reverse()),
      waiting: await read([...waiting.reverse(), ...prioritized].slice(0, limit)),
      delayed: addDueTimes(await read(delayed.filter((_, index) => index % 2 === 0)), delayed),
      isCut: budget.bytes < 0,
    };
  }

  async #readMessages(
    partition: number,
    name: string,
    ids: readonly string[],
    budget: { bytes: number },
  ): Promise<QueuedMessage[]> {
    const messages: QueuedMessage[] = [];
    for (let at = 0; at < ids.length && budget.bytes >= 0; at += CHUNK) {
      const some = ids.slice(at, at + CHUNK);
      const sizes = await Promise.all(
        some.map((id) => this.#link.call<number>("hstrlen", this.#keys.queue(partition, name, id), "data")),
      );
      const fitting = some.filter((_, index) => {
        budget.bytes -= sizes[index] ?? 0;
        return budget.bytes >= 0;
      });
      const read = await Promise.all(fitting.map((id) => this.#readMessage(partition, name, id)));
      messages.push(...read.filter((message) => message !== undefined));
    }
    return messages;
  }

  /** Undefined where it has been handled meanwhile. */
  async #readMessage(partition: number, name: string, id: string): Promise<QueuedMessage | undefined> {
    const key = this.#keys.queue(partition, name, id);
    const job = await this.#link.call<(string | null)[]>("hmget", key, "name", "data", "timestamp");
    const [kind, data, queuedAt] = job;
    if (!kind || !data) return undefined;
    const { m: message = null, t: timer } = readEnvelope(data);
    return { messageId: id, kind, message, queuedAt: toIso(queuedAt), ...(timer !== undefined && { timer }) };
  }
}

/** What another tool has made of a job is shown as it is. */
function readEnvelope(data: string): { m?: unknown; t?: string } {
  try {
    return JSON.parse(data) as { m?: unknown; t?: string };
  } catch {
    return { m: data };
  }
}

/** `scores` is ids and scores in turn. BullMQ's score has the due time above its lowest twelve bits. */
function addDueTimes(messages: QueuedMessage[], scores: readonly string[]): QueuedMessage[] {
  return messages.map((message) => {
    const score = Number(scores[scores.indexOf(message.messageId) + 1]);
    return { ...message, dueAt: new Date(Math.floor(score / 4096)).toISOString() };
  });
}
