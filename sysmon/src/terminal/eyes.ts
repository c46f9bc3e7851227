/** What the dashboard asks of the cluster beyond its picture. Each question fails while Redis is away. */

import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { readTies, type TiesView } from "@genserverless/shared/inspect/ties-reader.ts";
import { readLastError, readStateBytes } from "@genserverless/shared/inspect/trouble-reader.ts";
import type {
  DeadLetter,
  ListQuery,
  MailboxPeek,
  ProcessPage,
  ProcessView,
} from "@genserverless/shared/inspect/views.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";

export interface Eyes {
  listProcesses(query: ListQuery): Promise<ProcessPage>;
  readProcess(pid: Pid, withState: boolean): Promise<ProcessView | undefined>;
  readMailbox(pid: Pid, limit: number): Promise<MailboxPeek | undefined>;
  readDeadLetters(pid: Pid): Promise<DeadLetter[]>;
  readTies(pid: Pid): Promise<TiesView | undefined>;
  readLastError(pid: Pid): Promise<string | undefined>;
  readStateBytes(pid: Pid): Promise<number>;
}

export function createEyes(snapshot: Snapshot, link: RedisLink, keys: Keys): Eyes {
  return {
    listProcesses: (query) => snapshot.listProcesses(query),
    readProcess: (pid, withState) => snapshot.readProcess(pid, withState),
    readMailbox: (pid, limit) => snapshot.readMailbox(pid, limit),
    readDeadLetters: (pid) => snapshot.readDeadLetters(pid),
    readTies: (pid) => readTies(link, keys, pid),
    readLastError: (pid) => readLastError(link, keys, pid),
    readStateBytes: (pid) => readStateBytes(link, keys, pid),
  };
}
