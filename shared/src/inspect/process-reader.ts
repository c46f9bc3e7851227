/** Reads processes: their records, and the lengths of their mailboxes. */

import { type Pid, splitPid } from "../process/pid.ts";
import { type ProcessStatus, readStatus } from "../process/status.ts";
import { type ResolveState, readStateText } from "../process/stored-state.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import { toIso } from "./time.ts";
import type { MailboxView, ProcessView } from "./views.ts";

/** What a record says, without its mailbox. */
export interface ProcessRecord extends Omit<ProcessView, "mailbox" | "state"> {
  incarnation: string;
  stateText: string | undefined;
}

/** A pid of the index; it may have no record any more. */
export interface Listed {
  pid: Pid;
  record: ProcessRecord | undefined;
}

type Values = (string | null)[];

const FIELDS = ["s", "v", "r", "e", "o", "t", "a", "u", "b", "i", "p", "f", "g"] as const;

export class ProcessReader {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #resolve: ResolveState | undefined;

  constructor(link: RedisLink, keys: Keys, resolve?: ResolveState) {
    this.#link = link;
    this.#keys = keys;
    this.#resolve = resolve;
  }

  async read(pid: Pid, withState: boolean): Promise<ProcessView | undefined> {
    const record = await this.readRecord(pid, withState);
    return record && (await this.complete(record, withState));
  }

  async readRecord(pid: Pid, withState = false): Promise<ProcessRecord | undefined> {
    const fields = withState ? [...FIELDS, "d"] : FIELDS;
    const key = this.#keys.process(this.#keys.partitionOf(pid), pid);
    return toRecord(pid, await this.#link.call<Values>("hmget", key, ...fields));
  }

  /** Up to `count` of a partition's processes in the order of their pids, from `least` to `most` as ZRANGEBYLEX takes them. */
  async readRange(partition: number, least: string, most: string, count: number): Promise<Listed[]> {
    const args = [this.#keys.base(partition), least, most, count, ...FIELDS];
    const found = await this.#link.run<(Pid | Values)[]>("list", [this.#keys.index(partition)], args);
    return Array.from({ length: found.length / 2 }, (_, index) => {
      const pid = found[2 * index] as Pid;
      return { pid, record: toRecord(pid, found[2 * index + 1] as Values) };
    });
  }

  /** Adds what the record does not say. */
  async complete(record: ProcessRecord, withState = false): Promise<ProcessView> {
    const { incarnation, stateText, startedAt, updatedAt, ...view } = record;
    const pid = record.pid as Pid;
    const mailbox = await this.countMail(pid, incarnation);
    const text = stateText === undefined ? "null" : await readStateText(pid, stateText, this.#resolve);
    return { ...view, mailbox, startedAt, updatedAt, ...(withState && { state: JSON.parse(text) as unknown }) };
  }

  async countMail(pid: Pid, incarnation: string): Promise<MailboxView> {
    const partition = this.#keys.partitionOf(pid);
    const queue = (part: string) => this.#keys.queue(partition, mailboxName(pid, incarnation), part);
    const [waiting, delayed, failed] = await Promise.all([
      this.#link.call<number>("llen", queue("wait")),
      this.#link.call<number>("zcard", queue("delayed")),
      this.#link.call<number>("zcard", queue("failed")),
    ]);
    return { waiting, delayed, failed };
  }
}

/** `values` are those of FIELDS, and the state's text where it was asked for. */
function toRecord(pid: Pid, values: Values): ProcessRecord | undefined {
  const [stored, version, revision, epoch, owner, turns, startedAt, updatedAt, hasMail, incarnation] = values;
  const [held, reason, options, stateText] = values.slice(10);
  if (!stored || !incarnation) return undefined;
  return {
    pid,
    ...splitPid(pid),
    status: readStatus(stored, hasMail === "1", held ?? ""),
    ...(reason && { reason }),
    tags: readTags(options),
    moduleVersion: Number(version ?? 0),
    revision: Number(revision),
    epoch: Number(epoch ?? 0),
    owner: owner || null,
    turns: Number(turns),
    startedAt: toIso(startedAt),
    updatedAt: toIso(updatedAt),
    incarnation,
    stateText: stateText ?? undefined,
  };
}

function readTags(options: string | null | undefined): string[] {
  if (!options) return [];
  return (JSON.parse(options) as { tags?: string[] }).tags ?? [];
}

/** Whether a record is among those asked for. An owner is a session, or the name of a node. */
export function matches(
  { status, tags, owner }: ProcessRecord,
  wanted: { status?: ProcessStatus | undefined; tag?: string | undefined; owner?: string | undefined },
): boolean {
  if (wanted.status !== undefined && status !== wanted.status) return false;
  if (wanted.tag !== undefined && !tags.includes(wanted.tag)) return false;
  return wanted.owner === undefined || owner === wanted.owner || owner?.startsWith(`${wanted.owner}#`) === true;
}
