/**
 * One incarnation of a process: what the cluster keeps of it in Redis, and what a worker has of it in memory. A crash
 * takes the second away.
 *
 * A state is text everywhere, and made anew for each callback: what a module does to an object after it has returned it
 * is lost here at once, and not only when the process is put to sleep.
 */

import type { Pid } from "../contract.ts";
import { Ties } from "../runtime/ties.ts";
import type { ServerModule } from "../server-module.ts";
import { KitJournal } from "./kit-journal.ts";
import type { Mail } from "./mail.ts";
import type { Turn } from "./turn.ts";
import type { Alarm } from "./virtual-clock.ts";

/** A state as it is stored, JSON text, and the version of the module that left it. */
export interface Snapshot {
  readonly text: string;
  readonly version: number;
}

export interface ProcessOptions {
  tags: readonly string[];
  /** Instead of the module's. */
  idleAfterMs?: number;
}

export interface Delayed {
  readonly mail: Mail;
  readonly alarm: Alarm;
}

/** A handleContinue that is owed. */
export interface Continuation {
  readonly kind: "continue";
  readonly id: string;
  readonly text: string;
  deaths: number;
}

export class KitProcess {
  readonly pid: Pid;
  /** The id of the message that started it. */
  readonly startId: string;
  readonly options: ProcessOptions;

  life: "starting" | "alive" | "stopped" | "wiped" = "starting";
  /** A person has to let it go on. */
  heldBack: "paused" | "quarantined" | undefined;
  /** A failed message is tried again then, and the mailbox waits for it. */
  retryAt: number | undefined;

  stored: Snapshot | undefined;
  /** Of a journaled module, what the state is made of; `stored` is only what it looks like. */
  journal = new KitJournal();
  readonly mailbox: Mail[] = [];
  readonly delayed = new Map<string, Delayed>();
  continuation: Continuation | undefined;
  readonly ties = new Ties();
  /** Who watches it, by the reference of the monitor. */
  readonly watchers = new Map<string, Pid>();
  /** The calls that were not answered when their turn ended. */
  readonly owed = new Set<string>();
  /** When its callbacks have failed. */
  failures: number[] = [];
  turns = 0;
  revision = 0;

  /** In a worker's memory: the module that runs it, and the state after the last turn. */
  module: ServerModule | undefined;
  current: Snapshot | undefined;
  unstoredTurns = 0;
  storedAt = 0;
  /** The state was made another version's: it is stored with the next commit, whatever the write policy. */
  isMigrated = false;
  storing: Alarm | undefined;
  falling: Alarm | undefined;
  turn: Turn | undefined;
  /** In how many of its next turns the worker is to die. */
  crashesToCome = 0;

  constructor(pid: Pid, startId: string, options: ProcessOptions) {
    this.pid = pid;
    this.startId = startId;
    this.options = options;
  }

  get moduleName(): string {
    return this.pid.slice(0, this.pid.indexOf("/"));
  }

  get isThere(): boolean {
    return this.life === "starting" || this.life === "alive";
  }

  get hasWork(): boolean {
    return this.continuation !== undefined || this.mailbox.length > 0;
  }

  isReady(now: number): boolean {
    const mayRun = this.heldBack === undefined && (this.retryAt === undefined || this.retryAt <= now);
    return this.isThere && this.hasWork && mayRun && this.turn === undefined;
  }

  get status(): "starting" | "running" | "idle" | "paused" | "stopped" | "quarantined" {
    if (this.life === "stopped" || this.life === "wiped") return "stopped";
    if (this.heldBack) return this.heldBack;
    if (this.life === "starting") return "starting";
    return this.hasWork || this.turn !== undefined ? "running" : "idle";
  }

  /** Writes the state as it is after the last turn. */
  store(now: number): void {
    this.stored = this.current ?? this.stored;
    this.isMigrated = false;
    this.#countUnstoredFrom(now);
  }

  /** Comes into a worker's memory. */
  load(module: ServerModule, now: number): void {
    this.module = module;
    this.current = this.stored;
    this.#countUnstoredFrom(now);
  }

  /** Leaves the worker's memory; what was not stored is lost. */
  forget(): void {
    this.module = undefined;
    this.current = undefined;
    this.isMigrated = false;
    this.failures = [];
    this.storing?.cancel();
    this.falling?.cancel();
  }

  #countUnstoredFrom(now: number): void {
    this.unstoredTurns = 0;
    this.storedAt = now;
    this.storing?.cancel();
    this.storing = undefined;
  }
}
