/** Reads one process: its record and the lengths of its mailbox. */

import { type Pid, splitPid } from "../process/pid.ts";
import type { ProcessStatus } from "../process/status.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import { toIso } from "./time.ts";
import type { ProcessView } from "./views.ts";

const FIELDS = ["s", "v", "r", "e", "o", "t", "a", "u", "b", "i"] as const;

export class ProcessReader {
  readonly #link: RedisLink;
  readonly #keys: Keys;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
  }

  async read(pid: Pid, withState: boolean): Promise<ProcessView | undefined> {
    const partition = this.#keys.partitionOf(pid);
    const fields = withState ? [...FIELDS, "d"] : FIELDS;
    const key = this.#keys.process(partition, pid);
    const record = await this.#link.call<(string | null)[]>("hmget", key, ...fields);
    const [stored, version, revision, epoch, owner, turns, startedAt, updatedAt, busy, incarnation, state] = record;
    if (!stored || !incarnation) return undefined;
    const queue = (part: string) => this.#keys.queue(partition, mailboxName(pid, incarnation), part);
    const [waiting, delayed, failed] = await Promise.all([
      this.#link.call<number>("llen", queue("wait")),
      this.#link.call<number>("zcard", queue("delayed")),
      this.#link.call<number>("zcard", queue("failed")),
    ]);
    return {
      pid,
      ...splitPid(pid),
      status: toStatus(stored, busy === "1"),
      moduleVersion: Number(version ?? 0),
      revision: Number(revision),
      epoch: Number(epoch ?? 0),
      owner: owner || null,
      turns: Number(turns),
      mailbox: { waiting, delayed, failed },
      startedAt: toIso(startedAt),
      updatedAt: toIso(updatedAt),
      ...(withState && { state: state ? (JSON.parse(state) as unknown) : null }),
    };
  }
}

function toStatus(stored: string, isBusy: boolean): ProcessStatus {
  if (stored === "alive") return isBusy ? "running" : "idle";
  return stored as ProcessStatus;
}
