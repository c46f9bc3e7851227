/** Reads the cluster as a whole: its nodes, its totals, its Redis. */

import { runsProcesses } from "../process/role.ts";
import { PROCESS_STATUSES, type ProcessStatus } from "../process/status.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { toIso } from "./time.ts";
import type { ClusterView, NodeView } from "./views.ts";

export class ClusterReader {
  readonly #link: RedisLink;
  readonly #keys: Keys;

  constructor(link: RedisLink, keys: Keys) {
    this.#link = link;
    this.#keys = keys;
  }

  async read(): Promise<ClusterView> {
    const nodes = await this.#readNodes();
    const totals = await this.#readTotals(nodes.filter(({ role }) => runsProcesses(role)));
    return { nodes, ...totals, redis: await this.readRedis() };
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
      load: Number(node["load"] ?? 0),
      lagMs: Number(node["lagMs"] ?? 0),
    };
    if (node["rate"] !== undefined) {
      view.rate = Number(node["rate"]);
      view.latency = { p50Ms: Number(node["p50Ms"] ?? 0), p99Ms: Number(node["p99Ms"] ?? 0) };
    }
    return runsProcesses(view.role) ? { ...view, ...readWork(node) } : view;
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
    const { alive = 0, starting = 0, paused = 0, quarantined = 0, queued = 0, delayed = 0, failed = 0 } = sum;
    const going = Math.max(0, alive - paused - quarantined);
    const running = Math.min(Math.max(0, busy - starting), going);
    const processes = Object.fromEntries(PROCESS_STATUSES.map((status) => [status, sum[status] ?? 0])) as Record<
      ProcessStatus,
      number
    >;
    return {
      processes: { ...processes, starting, running, idle: going - running },
      mailbox: { waiting: Math.max(0, queued - delayed), delayed, failed },
    };
  }

  async readRedis(): Promise<ClusterView["redis"]> {
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

function readWork(node: Record<string, string>) {
  return {
    held: Number(node["held"] ?? 0),
    running: Number(node["running"] ?? 0),
    turns: Number(node["turns"] ?? 0),
    waitMs: Number(node["waitMs"] ?? 0),
    failures: Number(node["failures"] ?? 0),
    takeovers: Number(node["takeovers"] ?? 0),
    busiest: JSON.parse(node["top"] ?? "[]") as NonNullable<NodeView["busiest"]>,
    modules: node["modules"] ? node["modules"].split(",") : [],
  };
}
