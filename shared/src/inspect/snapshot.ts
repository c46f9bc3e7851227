/**
 * What is in the cluster, read and nothing else. A snapshot is not a transaction: parts of it may be some milliseconds
 * apart. Nothing here walks over all processes except the paged list, which walks the index.
 */

import { partitionOfMessage } from "../process/message.ts";
import type { Failure, MessageStatus, Outcome } from "../process/outcome.ts";
import { type Pid, splitPid } from "../process/pid.ts";
import { PROCESS_STATUSES, type ProcessStatus } from "../process/status.ts";
import type { RedisLink } from "../redis/connection.ts";
import { type Keys, mailboxName } from "../redis/keys.ts";
import type { ErrorCode } from "../service/errors.ts";
import { ProcessReader } from "./process-reader.ts";

export interface ProcessView {
  pid: string;
  module: string;
  key: string;
  status: ProcessStatus;
  moduleVersion: number;
  revision: number;
  epoch: number;
  /** The session that holds the lease. */
  owner: string | null;
  turns: number;
  mailbox: MailboxView;
  startedAt: string;
  updatedAt: string;
  state?: unknown;
}

export interface MailboxView {
  waiting: number;
  delayed: number;
  failed: number;
}

export interface ProcessPage {
  processes: ProcessView[];
  nextCursor?: string;
}

export interface MessageView {
  messageId: string;
  status: MessageStatus;
  reply?: unknown;
  error?: Failure;
}

export interface DeadLetter {
  messageId: string;
  kind: string;
  message: unknown;
  reason: string;
  stack: string[];
  /** How many nodes died with the message in hand; 0 where its callback failed. */
  deaths: number;
  node: string;
  failedAt: string;
}

export interface NodeView {
  /** The node's session. */
  id: string;
  name: string;
  role: "api" | "worker" | "sysmon";
  host: string;
  osPid: number;
  startedAt: string;
  seenMsAgo: number;
  /** Processes in the worker's memory. */
  held?: number;
  /** Turns since the worker started. */
  turns?: number;
  modules?: string[];
}

export interface ClusterView {
  nodes: NodeView[];
  processes: Record<ProcessStatus, number>;
  mailbox: MailboxView;
  redis: { version: string; usedMemoryBytes: number; maxMemoryBytes: number; connected: boolean };
}

export interface ListQuery {
  module?: string | undefined;
  status?: ProcessStatus | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** The cursor was not made by `listProcesses`. */
export class CursorError extends Error {
  override name = "CursorError";
}

export class Snapshot {
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #processes: ProcessReader;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
    this.#processes = new ProcessReader(link, keys);
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
    const known = await this.#link.call<string | null>("get", this.#keys.outcome(partition, messageId));
    if (known === null) return undefined;
    const [kind, hash = "", name = ""] = known.split("|", 3);
    if (kind === "o") return { messageId, ...(JSON.parse(known.slice(3 + hash.length)) as Outcome) };
    const isInHand = await this.#link.call<number | null>(
      "lpos",
      this.#keys.queue(partition, name, "active"),
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

  async readCluster(): Promise<ClusterView> {
    const nodes = await this.#readNodes();
    const totals = await this.#readTotals(nodes.filter(({ role }) => role === "worker"));
    return { nodes, ...totals, redis: await this.#readRedis() };
  }

  /** Why the cluster cannot take work now; empty when it can. */
  async findFaults(): Promise<ErrorCode[]> {
    try {
      const { usedMemoryBytes, maxMemoryBytes } = await this.#readRedis();
      const faults: ErrorCode[] = [];
      if (maxMemoryBytes > 0 && usedMemoryBytes >= maxMemoryBytes) faults.push("storage_full");
      if ((await this.#link.call<number>("hlen", this.#keys.live(0))) === 0) faults.push("no_workers");
      return faults;
    } catch {
      return ["redis_unavailable"];
    }
  }

  async #readNodes(): Promise<NodeView[]> {
    const sessions = await this.#link.call<string[]>("smembers", this.#keys.sessions);
    const views = await Promise.all(sessions.map((session) => this.#readNode(session)));
    return views.filter((view) => view !== undefined).sort((a, b) => a.id.localeCompare(b.id));
  }

  async #readNode(session: string): Promise<NodeView | undefined> {
    const key = this.#keys.session(session);
    const [node, leftMs] = await Promise.all([
      this.#link.call<Record<string, string>>("hgetall", key),
      this.#link.call<number>("pttl", key),
    ]);
    if (!node["role"] || leftMs < 0) return undefined;
    const view: NodeView = {
      id: session,
      name: `${node["role"]}@${node["name"]}`,
      role: node["role"] as NodeView["role"],
      host: node["host"] ?? "",
      osPid: Number(node["osPid"]),
      startedAt: toIso(node["startedAt"]),
      seenMsAgo: Math.max(0, Number(node["ttlMs"]) - leftMs),
    };
    if (view.role !== "worker") return view;
    const modules = node["modules"] ? node["modules"].split(",") : [];
    return { ...view, held: Number(node["held"] ?? 0), turns: Number(node["turns"] ?? 0), modules };
  }

  async #readTotals(workers: NodeView[]): Promise<Pick<ClusterView, "processes" | "mailbox">> {
    const sum: Record<string, number> = {};
    let busy = 0;
    const readPartition = async (partition: number) => {
      const counts = await this.#link.call<Record<string, string>>("hgetall", this.#keys.counts(partition));
      for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + Number(value);
    };
    const countBusy = async (partition: number, session: string) => {
      const count = await this.#link.call<number>("scard", this.#keys.busy(partition, session));
      busy += count;
    };
    const partitions = Array.from({ length: this.#keys.partitions }, (_, partition) => partition);
    await Promise.all([
      ...partitions.map(readPartition),
      ...workers.flatMap(({ id }) => partitions.map((partition) => countBusy(partition, id))),
    ]);
    const { alive = 0, starting = 0, queued = 0, delayed = 0, failed = 0 } = sum;
    const running = Math.min(Math.max(0, busy - starting), alive);
    const processes = Object.fromEntries(PROCESS_STATUSES.map((status) => [status, sum[status] ?? 0])) as Record<
      ProcessStatus,
      number
    >;
    return {
      processes: { ...processes, starting, running, idle: alive - running },
      mailbox: { waiting: Math.max(0, queued - delayed), delayed, failed },
    };
  }

  async #readRedis(): Promise<ClusterView["redis"]> {
    const [server, memory] = await Promise.all([
      this.#link.call<string>("info", "server"),
      this.#link.call<string>("info", "memory"),
    ]);
    return {
      version: /redis_version:(\S+)/.exec(server)?.[1] ?? "",
      usedMemoryBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 0),
      maxMemoryBytes: Number(/^maxmemory:(\d+)/m.exec(memory)?.[1] ?? 0),
      connected: true,
    };
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
  return /^[A-Za-z0-9._~-]{1,128}$/.test(module) && /^[A-Za-z0-9._~-]{1,128}$/.test(key);
}

function toIso(ms: string | null | undefined): string {
  return new Date(Number(ms ?? 0)).toISOString();
}
