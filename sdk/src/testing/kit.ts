/**
 * The test kit: a cluster in memory for the tests of modules, without Redis, on virtual time.
 *
 *     const kit = createKit({ modules: [account] });
 *     const pid = await kit.start("account", { key: "a", args: 100 });
 *     await kit.cast(pid, { withdraw: 10 });
 *     assert.equal(await kit.call(pid, "balance"), 90);
 *     await kit.advance(60_000);
 *
 * A message is in its mailbox when the function that sends it returns; when what it returned is awaited, everything has been
 * handled that was to be. Time stands still but for `advance`, and for whoever awaits an answer that only time can bring:
 * a start, a call, a stop. Keys and ids are made of a seed, so that each run is like the other.
 *
 * What a callback may ask and return is read by the code that the worker uses; docs/testing.md says what the kit leaves out.
 */

import { BUILT_IN_MODULES } from "../built-in-modules.ts";
import type { Pid } from "../contract.ts";
import { isPidPart } from "../runtime/limits.ts";
import { CallError } from "../runtime/turn-errors.ts";
import type { ServerModule } from "../server-module.ts";
import { checkMessage } from "./check-message.ts";
import { Commits } from "./commits.ts";
import { Ids } from "./ids.ts";
import { Journal } from "./journal.ts";
import { KitCluster, type Refusal } from "./kit-cluster.ts";
import type { KitProcess } from "./kit-process.ts";
import { KitView } from "./kit-view.ts";
import { type Mail, newMail } from "./mail.ts";
import type { Outcome } from "./outcomes.ts";
import { Post } from "./post.ts";
import { Request, readOutcome } from "./request.ts";
import { Scheduler } from "./scheduler.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { Worker } from "./worker.ts";

export { CallError } from "../runtime/turn-errors.ts";
export type { KitEvent, LogLine } from "./journal.ts";
export type { DeadLetter } from "./kit-cluster.ts";
export type { MailView, SentView, TimerView } from "./views.ts";

export interface KitOptions {
  modules: readonly ServerModule[];
  /** The time at the beginning; 2030-01-01 in UTC unless given. */
  startAt?: number | Date;
  /** What ids and generated keys are made of; 1 unless given. */
  seed?: number;
  /** How long, in real time, a callback may wait for something outside of the kit before time goes on without it; 1,000 ms. */
  patienceMs?: number;
}

export interface StartFields {
  /** Generated unless given. */
  key?: string;
  args?: unknown;
  tags?: readonly string[];
  idleAfterMs?: number;
  /** Whether an existing process is an error, as it is unless given, or the answer. */
  ifExists?: "error" | "return";
}

/** A module of the test's own takes the place of a built-in one of its name. */
function withBuiltIns(modules: readonly ServerModule[]): ServerModule[] {
  const names = new Set(modules.map(({ name }) => name));
  return [...BUILT_IN_MODULES.filter(({ name }) => !names.has(name)), ...modules];
}

const DEFAULT_START = Date.UTC(2030, 0, 1);
const DEFAULT_CALL_TIMEOUT_MS = 5_000;
const LIFE_TIMEOUT_MS = 60_000;

/** Throws where two modules have one name. */
export function createKit(options: KitOptions): Kit {
  return new Kit(options);
}

export class Kit extends KitView {
  readonly #cluster: KitCluster;
  readonly #commits: Commits;
  readonly #post: Post;
  readonly #scheduler: Scheduler;

  constructor({ modules, startAt = DEFAULT_START, seed = 1, patienceMs = 1_000 }: KitOptions) {
    const clock = new VirtualClock(Number(startAt));
    const cluster = new KitCluster(clock, new Ids(seed), new Journal(clock));
    const post = new Post(cluster);
    super(cluster, post);
    this.#cluster = cluster;
    this.#post = post;
    this.#commits = new Commits(cluster, post);
    post.onKill = (process) => this.#commits.kill(process, "killed");
    this.#scheduler = new Scheduler(cluster, new Worker(cluster, this.#commits), patienceMs);
    for (const module of withBuiltIns(modules)) {
      if (this.#cluster.module(module.name)) throw new TypeError(`two modules are called ${module.name}`);
      this.#cluster.setModule(module);
    }
  }

  /** Starts a process and returns its pid once it has started. Rejects with a CallError, e.g. `already_started`. */
  async start(module: string, fields: StartFields = {}): Promise<Pid> {
    const { key = this.#cluster.ids.nextKey(), args, tags = [], idleAfterMs, ifExists } = fields;
    const pid = toPid(`${module}/${key}`);
    const id = this.#cluster.ids.next();
    const options = idleAfterMs === undefined ? { tags } : { tags, idleAfterMs };
    const refusal = this.#cluster.begin(pid, id, toText(args), options);
    const startId = refusal ? this.#cluster.findLiving(pid)?.startId : id;
    if (startId === undefined || (refusal && ifExists !== "return")) throw refused(refusal);
    await this.#outcomeOf(startId, LIFE_TIMEOUT_MS);
    return pid;
  }

  /** The reply. Rejects with a CallError, e.g. `no_process`, `invalid_message`, `callback_failed`, `call_timeout`. */
  async call(pid: string, message: unknown, { timeoutMs = DEFAULT_CALL_TIMEOUT_MS } = {}): Promise<unknown> {
    return await this.request(pid, message, { timeoutMs }).reply();
  }

  /** Sends a call without waiting for the reply, so that time can be moved, or a worker die, before it comes. */
  request(pid: string, message: unknown, { timeoutMs = DEFAULT_CALL_TIMEOUT_MS } = {}): Request {
    const { outcomes, clock, ids } = this.#cluster;
    const id = ids.next();
    const deadlineAt = clock.now + timeoutMs;
    const sent = this.#send(pid, newMail(id, { kind: "call", text: toText(message), deadlineAt }));
    const reply = async () => {
      await sent;
      return await this.#outcomeOf(id, deadlineAt - clock.now);
    };
    return new Request(() => outcomes.find(id) !== undefined, reply);
  }

  /** Returns when it has been handled, and all that follows from it. */
  async cast(pid: string, message: unknown, { delayMs = 0 } = {}): Promise<void> {
    await this.#send(pid, newMail(this.#cluster.ids.next(), { kind: "cast", text: toText(message) }), delayMs);
    await this.settle();
  }

  /** Like cast, for handleInfo. */
  async info(pid: string, message: unknown, { delayMs = 0 } = {}): Promise<void> {
    await this.#send(pid, newMail(this.#cluster.ids.next(), { kind: "info", text: toText(message) }), delayMs);
    await this.settle();
  }

  /** Stops a process, in order with its other mail; returns after terminate has run. */
  async stop(pid: string, reason = "normal"): Promise<void> {
    const id = this.#cluster.ids.next();
    await this.#send(pid, newMail(id, { kind: "stop", reason }));
    await this.#outcomeOf(id, LIFE_TIMEOUT_MS);
  }

  /** Ends a process at once, before its mail, without terminate. */
  async kill(pid: string, reason = "killed"): Promise<void> {
    this.#commits.kill(this.#find(pid), reason);
    await this.settle();
  }

  /** Handles no mail of the process until it is resumed; a turn under way goes on. */
  async pause(pid: string): Promise<void> {
    const process = this.#find(pid);
    if (process.life === "starting") throw new CallError("not_started", `${pid} has not started yet`);
    if (!process.heldBack) this.#commits.holdBack(process, "paused");
    await this.settle();
  }

  async resume(pid: string): Promise<void> {
    await this.#letGo(pid, "paused");
  }

  /** Lets a quarantined process go on with the mail that was kept. */
  async unquarantine(pid: string): Promise<void> {
    await this.#letGo(pid, "quarantined");
  }

  /**
   * The worker dies, here and now, with this process, or with all: what was in memory only is lost, and a turn under way is
   * not committed; its message is handled again.
   */
  async crash(pid?: string): Promise<void> {
    const crashed = pid === undefined ? [...this.#cluster.processes()] : [this.#find(pid)];
    for (const process of crashed) if (process.isThere) this.#commits.crash(process);
    await this.settle();
  }

  /** The worker will die in the process's next turn, or the next so many, after the callback and before the commit. */
  crashDuringNextTurn(pid: string, times = 1): void {
    this.#find(pid).crashesToCome = times;
  }

  /** Replaces a module by another version, which each process runs from its next turn on. */
  upgrade(module: ServerModule): void {
    this.#cluster.setModule(module);
  }

  /** Keeps what processes send in their outboxes, until `release`. */
  hold(): void {
    this.#post.hold();
  }

  async release(): Promise<void> {
    this.#post.release();
    await this.settle();
  }

  /** Lets `ms` pass: every timer that is due on the way fires at its time, and what follows is handled. */
  async advance(ms: number): Promise<void> {
    await this.#scheduler.advance(ms);
  }

  /** Runs until nothing is ready to run. */
  async settle(): Promise<void> {
    await this.#scheduler.settle();
  }

  /** Throws, or rejects with, a CallError; a promise only where an asynchronous validator has to be awaited. */
  #send(pid: string, mail: Mail, delayMs = 0): Promise<void> | undefined {
    const to = toPid(pid);
    const accept = () => {
      const refusal = this.#cluster.accept(to, mail, { delayMs, isBounded: true });
      if (refusal) throw refused(refusal);
    };
    const checking = checkMessage(this.#cluster.module(to.slice(0, to.indexOf("/"))), mail);
    if (checking) return checking.then(accept);
    accept();
    return undefined;
  }

  async #letGo(pid: string, why: "paused" | "quarantined"): Promise<void> {
    const process = this.#find(pid);
    if (process.heldBack === why) process.heldBack = undefined;
    this.#cluster.wake(process);
    await this.settle();
  }

  #find(pid: string): KitProcess {
    const process = this.#cluster.findLiving(pid);
    if (!process) throw new CallError("no_process", `there is no process ${pid}`);
    return process;
  }

  /** The reply of a message; time passes while nothing else can bring it. */
  async #outcomeOf(id: string, timeoutMs: number): Promise<unknown> {
    const { clock, outcomes } = this.#cluster;
    let isOver = false;
    let outcome: Outcome | undefined;
    const alarm = clock.at(clock.now + timeoutMs, () => {
      isOver = true;
    });
    outcomes.listen(id, (settled) => {
      outcome = settled;
    });
    await this.#scheduler.until(() => isOver || outcome !== undefined);
    alarm.cancel();
    return readOutcome(outcome);
  }
}

function refused(refusal: Refusal | undefined): CallError {
  return new CallError(refusal?.code ?? "no_process", refusal?.detail ?? "there is no such process");
}

function toPid(pid: string): Pid {
  const parts = pid.split("/");
  if (parts.length === 2 && parts.every(isPidPart)) return pid as Pid;
  throw new TypeError(`a pid is module/key, not ${JSON.stringify(pid)}`);
}

function toText(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}
