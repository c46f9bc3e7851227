/**
 * What a worker does on a beat rather than on a wake-up, so that no lost wake-up leaves a process stuck: it asks each
 * partition for its own processes with mail, rings those whose delayed message is due, sweeps ended mailboxes, and puts
 * idle processes to sleep. Every node may do all of it at any time; each act is a script that may be repeated.
 */

import type { Leases } from "@genserverless/shared/cluster/leases.ts";
import type { Member } from "@genserverless/shared/cluster/members.ts";
import type { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { runsProcesses } from "@genserverless/shared/process/role.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import type { RecordView } from "@genserverless/shared/stores/sweep.ts";
import type { Host } from "./host.ts";

export interface ChoresOptions {
  host: Host;
  leases: Leases;
  outboxes: Outboxes;
  stores: StateStores;
  keys: Keys;
  link: RedisLink;
  events: Events;
  partitions: number;
  session: () => string;
}

const TICK_MS = 250;
const FAIR_MARGIN = 1.2;
/** Every beat rings anyway. */
const LONGEST_RING_MS = 60_000;

export class Chores implements Part {
  readonly #options: ChoresOptions;
  #timer: NodeJS.Timeout | undefined;
  /** When each partition is to be rung next. */
  readonly #rings = new Map<number, { at: number; timer: NodeJS.Timeout }>();
  #share: number[] = [];
  #isBalanced = true;
  #passivating: Promise<void> | undefined;

  constructor(options: ChoresOptions) {
    this.#options = options;
    this.#share = Array.from({ length: options.partitions }, (_, partition) => partition);
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { timer } of this.#rings.values()) clearTimeout(timer);
    this.#rings.clear();
  }

  /** On each beat: look for mail that no wake-up told of, refresh the due times, even the load out. */
  onBeat(members: Member[]): void {
    const workers = members
      .filter(({ role }) => runsProcesses(role))
      .sort((a, b) => a.session.localeCompare(b.session));
    this.#takeShare(workers);
    this.look();
    for (const partition of this.#share) void this.#ring(partition);
    for (const partition of this.#share) void this.#guard(this.#options.leases.sweep(partition));
    for (const partition of this.#share) void this.#guard(this.#options.outboxes.emptyLeftBehind(partition));
    void this.#guard(this.#options.stores.sweep((pids) => this.#readRecords(pids)));
    const mine = workers.find(({ session }) => session === this.#options.session());
    this.#balance(workers.filter(({ modules }) => modules === mine?.modules));
  }

  /** Wakes every process that is this session's and has mail. */
  look(): void {
    const { leases, host, partitions, session } = this.#options;
    const mine = session();
    if (!mine) return;
    for (let partition = 0; partition < partitions; partition++) {
      const found = leases.readBusy(partition, mine).then((pids) => {
        if (session() === mine) for (const pid of pids) host.wake(pid);
      });
      void this.#guard(found);
    }
  }

  /** Nobody may have told of what is due next: at the start, and after a gap in what was heard. */
  ringAll(): void {
    for (let partition = 0; partition < this.#options.partitions; partition++) void this.#ring(partition);
  }

  #tick(): void {
    if (!this.#options.link.isUp) return;
    this.#passivating ??= this.#guard(this.#options.host.passivateIdle()).then(() => {
      this.#passivating = undefined;
    });
  }

  /** A delayed message is due in so many ms: somebody has to ring then. */
  noteDue(partition: number, inMs: number): void {
    if (!this.#timer) return;
    const at = performance.now() + inMs;
    const known = this.#rings.get(partition);
    if (known && known.at <= at) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(() => void this.#ring(partition), Math.min(inMs, LONGEST_RING_MS));
    this.#rings.set(partition, { at, timer });
  }

  async #ring(partition: number): Promise<void> {
    clearTimeout(this.#rings.get(partition)?.timer);
    this.#rings.delete(partition);
    const { leases } = this.#options;
    let next = await this.#guard(leases.ring(partition));
    while (next === 0) next = await this.#guard(leases.ring(partition));
    if (next !== undefined && next > 0) this.noteDue(partition, next);
  }

  /** What a sweep of the state stores asks of the records. */
  #readRecords(pids: readonly Pid[]): Promise<(RecordView | undefined)[]> {
    const { link, keys } = this.#options;
    const reads = pids.map(async (pid) => {
      const key = keys.process(keys.partitionOf(pid), pid);
      const [incarnation, revision, text] = await link.call<(string | null)[]>("hmget", key, "i", "r", "d");
      if (!incarnation) return undefined;
      return { incarnation: Number(incarnation), revision: Number(revision), text: text ?? undefined };
    });
    return Promise.all(reads);
  }

  /** Each worker rings and sweeps its share of the partitions; after a change of members two may do one, or, for a beat, none. */
  #takeShare(workers: Member[]): void {
    const rank = workers.findIndex(({ session }) => session === this.#options.session());
    if (rank < 0) return;
    this.#share = Array.from({ length: this.#options.partitions }, (_, partition) => partition).filter(
      (partition) => partition % workers.length === rank,
    );
  }

  /** Among workers of the same modules: above the margin over the fair share, gives the surplus up; the next beat only looks, for others tell their load once a beat. */
  #balance(workers: Member[]): void {
    const { host } = this.#options;
    const total = workers.reduce(
      (sum, { session, held }) => sum + (session === this.#options.session() ? host.held : held),
      0,
    );
    const fair = total / Math.max(1, workers.length);
    const surplus = Math.floor(host.held - fair);
    if (!this.#isBalanced || surplus < 1 || host.held <= fair * FAIR_MARGIN) {
      this.#isBalanced = true;
      return;
    }
    this.#isBalanced = false;
    void this.#guard(host.shed(surplus));
  }

  async #guard<T>(work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (this.#options.link.isUp) this.#options.events.emit("debug", "chore.failed", { error: String(error) });
      return undefined;
    }
  }
}
