/** Reads processes: their records, and the lengths of their mailboxes. */

import { type Pid, splitPid } from "../process/pid.ts";
import { type ProcessStatus, readStatus } from "../process/status.ts";
import { type ResolveState, readStateText } from "../process/stored-state.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import { toIso } from "./time.ts";
import type { ListQuery, MailboxView, ProcessView } from "./views.ts";

/** What a record says, without its mailbox. */
export interface ProcessRecord extends Omit<ProcessView, "mailbox" | "state"> {
  incarnation: string;
  stateText: string | undefined;
}

/** Which part of an index: its ends as ZRANGEBYLEX takes them, how many to look at, and how many to find at most. */
export interface Range {
  least: string;
  most: string;
  examine: number;
  find: number;
}

export interface Found {
  examined: number;
  /** The last of these, or "" where there are no more. */
  last: string;
  records: ProcessRecord[];
}

/** An owner is a session, or the name of a node. */
export type Wanted = Pick<ListQuery, "status" | "tag" | "owner">;

type Values = (string | null)[];

const FIELDS = ["s", "v", "r", "e", "o", "t", "a", "u", "b", "i", "p", "f", "g", "J"] as const;

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

  /** A part of a partition's index, in the order of the pids, and those on it that match. */
  async readRange(partition: number, { least, most, examine, find }: Range, wanted: Wanted): Promise<Found> {
    const args = [this.#keys.base(partition), least, most, examine, find, FIELDS.join(), ...contain(wanted)];
    const reply = await this.#link.run<[number, string, ...(Pid | Values)[]]>(
      "list",
      [this.#keys.index(partition)],
      args,
    );
    const [examined, last, ...found] = reply;
    const records = Array.from({ length: found.length / 2 }, (_, index) =>
      toRecord(found[2 * index] as Pid, found[2 * index + 1] as Values),
    ).filter((record) => record !== undefined);
    return { examined, last, records: records.filter((record) => matches(record, wanted)) };
  }

  /** Adds what the record does not say. */
  async complete(record: ProcessRecord, withState = false): Promise<ProcessView> {
    const { incarnation, stateText, startedAt, updatedAt, ...view } = record;
    const pid = record.pid as Pid;
    const mailbox = await this.countMail(pid, incarnation);
    const mark = { last: view.sequence ?? 0, incarnation, version: view.moduleVersion };
    const text = stateText === undefined ? "null" : await readStateText(pid, stateText, this.#resolve, mark);
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
  const [held, reason, options, sequence, stateText] = values.slice(10);
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
    ...(sequence && { sequence: Number(sequence) }),
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

/** What the fields of a record contain where it is among those asked for; it may be so where it is not. */
function contain({ status, tag, owner }: Wanted): string[] {
  return [
    ...(status === undefined ? [] : STATUS_FIELDS[status]),
    ...(tag === undefined ? [] : ["g", JSON.stringify(tag)]),
    ...(owner === undefined ? [] : ["o", owner]),
  ];
}

const STATUS_FIELDS: Record<ProcessStatus, [field: string, text: string]> = {
  starting: ["s", "starting"],
  running: ["s", "alive"],
  idle: ["s", "alive"],
  paused: ["p", "paused"],
  stopped: ["s", "stopped"],
  quarantined: ["p", "quarantined"],
};

/** Whether a record is among those asked for. */
function matches({ status, tags, owner }: ProcessRecord, wanted: Wanted): boolean {
  if (wanted.status !== undefined && status !== wanted.status) return false;
  if (wanted.tag !== undefined && !tags.includes(wanted.tag)) return false;
  return wanted.owner === undefined || owner === wanted.owner || owner?.startsWith(`${wanted.owner}#`) === true;
}
