/** Small questions about a process that its view does not answer. */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";

/** Why the newest dead letter of the present life failed; undefined where there is none. */
export async function readLastError(link: RedisLink, keys: Keys, pid: Pid): Promise<string | undefined> {
  const partition = keys.partitionOf(pid);
  const incarnation = await link.call<string | null>("hget", keys.process(partition, pid), "i");
  if (!incarnation) return undefined;
  const queue = (part: string) => keys.queue(partition, mailboxName(pid, incarnation), part);
  const [id] = await link.call<string[]>("zrange", queue("failed"), -1, -1);
  if (id === undefined) return undefined;
  return (await link.call<string | null>("hget", queue(id), "failedReason")) ?? undefined;
}

/** The bytes of the state as the record holds it; of one in a state store those of its reference. */
export function readStateBytes(link: RedisLink, keys: Keys, pid: Pid): Promise<number> {
  return link.call<number>("hstrlen", keys.process(keys.partitionOf(pid), pid), "d");
}
