/**
 * What is in the cluster, read and nothing else. A snapshot is not a transaction: parts of it may be some milliseconds
 * apart. Nothing here walks over all processes except the paged list, which walks the index.
 */

import { partitionOfMessage } from "../process/message.ts";
import { readKnown } from "../process/outcome.ts";
import { isPidPart, type Pid, splitPid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import type { ErrorCode } from "../service/errors.ts";
import { ClusterReader } from "./cluster-reader.ts";
import { ProcessReader } from "./process-reader.ts";
import { toIso } from "./time.ts";
import type { ClusterView, DeadLetter, ListQuery, MessageView, ProcessPage, ProcessView } from "./views.ts";

/** The cursor was not made by `listProcesses`. */
export class CursorError extends Error {
  override name = "CursorError";
}

export class Snapshot {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #processes: ProcessReader;
  readonly #cluster: ClusterReader;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
    this.#processes = new ProcessReader(link, keys);
    this.#cluster = new ClusterReader(link, keys);
  }

  /** The last committed picture of a process, without a turn. */
  readProcess(pid: Pid, withState: boolean): Promise<ProcessView | undefined> {
    return this.#processes.read(pid, withState);
  }

  /**
   * One page in the order partition, then pid: stable under change, so a process that lives throughout is listed exactly
   * once. A page may be short, even empty, while `nextCursor` is there.
   */
  async listProcesses({ module, status, limit, cursor }: ListQuery): Promise<ProcessPage> {
    let { partition, after } = parseCursor(cursor, this.#keys.partitions);
    const pids: Pid[] = [];
    let isMore = false;
    for (; partition < this.#keys.partitions; partition++, after = "") {
      const wanted = limit - pids.length;
      const found = await this.#readIndex(partition, module, after, wanted + 1);
      pids.push(...found.slice(0, wanted));
      isMore = found.length > wanted;
      if (isMore) break;
      if (pids.length === limit) {
        isMore = partition + 1 < this.#keys.partitions;
        partition += 1;
        break;
      }
    }
    const views = await Promise.all(pids.map((pid) => this.readProcess(pid, false)));
    const processes = views.filter(
      (view) => view !== undefined && (!status || view.status === status),
    ) as ProcessView[];
    if (!isMore) return { processes };
    const last = pids.at(-1);
    const resume = last && this.#keys.partitionOf(last) === partition ? last : "";
    return { processes, nextCursor: Buffer.from(`${partition}:${resume}`).toString("base64url") };
  }

  #readIndex(partition: number, module: string | undefined, after: string, count: number): Promise<Pid[]> {
    const least = after ? `(${after}` : module ? `[${module}/` : "-";
    // "0" follows "/", and no pid part holds a "/".
    const most = module ? `(${module}0` : "+";
    return this.#link.call<Pid[]>("zrangebylex", this.#keys.index(partition), least, most, "LIMIT", 0, count);
  }

  async readMessage(messageId: string): Promise<MessageView | undefined> {
    const partition = partitionOfMessage(messageId);
    if (partition === undefined || partition >= this.#keys.partitions) return undefined;
    const text = await this.#link.call<string | null>("get", this.#keys.outcome(partition, messageId));
    if (text === null) return undefined;
    const known = readKnown(text);
    if (known.outcome) return { messageId, ...known.outcome };
    const isInHand = await this.#link.call<number | null>(
      "lpos",
      this.#keys.queue(partition, known.mailbox, "active"),
      messageId,
    );
    return { messageId, status: isInHand === null ? "queued" : "running" };
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

function parseCursor(cursor: string | undefined, partitions: number): { partition: number; after: string } {
  if (cursor === undefined) return { partition: 0, after: "" };
  const match = /^(\d{1,5}):(.*)$/.exec(Buffer.from(cursor, "base64url").toString());
  const partition = Number(match?.[1]);
  const after = match?.[2] ?? "";
  if (!match || partition >= partitions || (after && !isPid(after)))
    throw new CursorError("this cursor was not made by a list");
  return { partition, after };
}

function isPid(text: string): boolean {
  const { module, key } = splitPid(text);
  return isPidPart(module) && isPidPart(key);
}
