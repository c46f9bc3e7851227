/**
 * What is in the cluster, read and nothing else. A snapshot is not a transaction: parts of it may be some milliseconds
 * apart. Nothing here walks over all processes except the paged list, which walks the index.
 */

import { partitionOfMessage } from "../process/message.ts";
import { readKnown } from "../process/outcome.ts";
import type { Pid } from "../process/pid.ts";
import type { ResolveState } from "../process/stored-state.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import type { ErrorCode } from "../service/errors.ts";
import { ClusterReader } from "./cluster-reader.ts";
import { type MembersPage, readMembers } from "./group-reader.ts";
import { MailboxReader } from "./mailbox-reader.ts";
import { ProcessList } from "./process-list.ts";
import { ProcessReader } from "./process-reader.ts";
import { toIso } from "./time.ts";
import type {
  ClusterView,
  DeadLetter,
  ListQuery,
  MailboxPeek,
  MessageView,
  ProcessPage,
  ProcessView,
} from "./views.ts";

export class Snapshot {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #processes: ProcessReader;
  readonly #list: ProcessList;
  readonly #mailboxes: MailboxReader;
  readonly #cluster: ClusterReader;

  /** `resolveState` reads what lies in a store of its own. */
  constructor(link: RedisLink, keys: Keys, resolveState?: ResolveState) {
    this.#link = link;
    this.#keys = keys;
    this.#processes = new ProcessReader(link, keys, resolveState);
    this.#list = new ProcessList(keys, this.#processes);
    this.#mailboxes = new MailboxReader(link, keys, this.#processes);
    this.#cluster = new ClusterReader(link, keys);
  }

  /** The last committed picture of a process, without a turn. */
  readProcess(pid: Pid, withState: boolean): Promise<ProcessView | undefined> {
    return this.#processes.read(pid, withState);
  }

  /** One page in the order partition, then pid. It may be short, even empty, while `nextCursor` is there. */
  listProcesses(query: ListQuery): Promise<ProcessPage> {
    return this.#list.read(query);
  }

  /** The same, without mailboxes. */
  async listPids(query: ListQuery): Promise<{ pids: Pid[]; nextCursor: string | undefined }> {
    const { found, nextCursor } = await this.#list.find(query);
    return { pids: found.map(({ pid }) => pid as Pid), nextCursor };
  }

  /** What is in hand, waits and is delayed, up to `limit` of each. */
  readMailbox(pid: Pid, limit: number): Promise<MailboxPeek | undefined> {
    return this.#mailboxes.peek(pid, limit);
  }

  readMembers(group: string, page: { limit: number; cursor?: string | undefined }): Promise<MembersPage> {
    return readMembers(this.#link, this.#keys, group, page);
  }

  async readMessage(messageId: string): Promise<MessageView | undefined> {
    const partition = partitionOfMessage(messageId);
    if (partition === undefined || partition >= this.#keys.partitions) return undefined;
    const text = await this.#link.call<string | null>("get", this.#keys.outcome(partition, messageId));
    if (text === null) return undefined;
    const known = readKnown(text);
    if (known.outcome) return { messageId, ...known.outcome };
    const { mailbox } = known;
    const [place, isDeferred] = await Promise.all([
      this.#link.call<number | null>("lpos", this.#keys.queue(partition, mailbox, "active"), messageId),
      this.#link.call<number>("hexists", this.#keys.deferred(partition, mailbox), messageId),
    ]);
    return { messageId, status: place === null && isDeferred === 0 ? "queued" : "running" };
  }

  /** The dead letters of a process, newest first, also those of lives that have ended. */
  async readDeadLetters(pid: Pid): Promise<DeadLetter[]> {
    const partition = this.#keys.partitionOf(pid);
    const incarnation = await this.#link.call<string | null>("hget", this.#keys.process(partition, pid), "i");
    const names = new Set(await this.#link.call<string[]>("smembers", this.#keys.graves(partition, pid)));
    if (incarnation) names.add(mailboxName(pid, incarnation));
    const lists = await Promise.all([...names].map((name) => this.#readFailed(partition, name)));
    return lists.flat().sort((a, b) => b.failedAt.localeCompare(a.failedAt));
  }

  async #readFailed(partition: number, name: string): Promise<DeadLetter[]> {
    const ids = await this.#link.call<string[]>("zrange", this.#keys.queue(partition, name, "failed"), 0, -1);
    const fields = ["name", "data", "failedReason", "stacktrace", "stc", "pb", "finishedOn"];
    const jobs = await Promise.all(
      ids.map((id) => this.#link.call<(string | null)[]>("hmget", this.#keys.queue(partition, name, id), ...fields)),
    );
    return jobs.flatMap(([kind, data, reason, stack, deaths, node, failedAt], index) => {
      if (!kind || !data) return [];
      return {
        messageId: ids[index] as string,
        kind,
        message: (JSON.parse(data) as { m?: unknown }).m,
        reason: reason ?? "",
        stack: stack ? (JSON.parse(stack) as string[]) : [],
        deaths: Number(deaths ?? 0),
        node: node ?? "",
        failedAt: toIso(failedAt),
      };
    });
  }

  readCluster(): Promise<ClusterView> {
    return this.#cluster.read();
  }

  /** Why the cluster cannot take work now; empty when it can. */
  async findFaults(): Promise<ErrorCode[]> {
    try {
      const { usedMemoryBytes, maxMemoryBytes } = await this.#cluster.readRedis();
      const faults: ErrorCode[] = [];
      if (maxMemoryBytes > 0 && usedMemoryBytes >= maxMemoryBytes) faults.push("storage_full");
      if ((await this.#link.call<number>("hlen", this.#keys.live(0))) === 0) faults.push("no_workers");
      return faults;
    } catch {
      return ["redis_unavailable"];
    }
  }
}
