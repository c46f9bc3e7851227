/**
 * A turn under way: what its context asks for while it runs, what it waits for, and what ends it before its callback does –
 * its deadline, or the death of the worker here.
 */

import type { Pid } from "../contract.ts";
import { TurnContext, type TurnHost } from "../runtime/turn-context.ts";
import { CallError } from "../runtime/turn-errors.ts";
import type { ServerModule } from "../server-module.ts";
import type { KitCluster, Refusal } from "./kit-cluster.ts";
import type { KitProcess } from "./kit-process.ts";
import { newMail } from "./mail.ts";
import type { Outcome } from "./outcomes.ts";
import { readOptions } from "./post.ts";

/** The callback was not done in time. */
export const TIMED_OUT = Symbol("timed out");
/** The turn does not count any more: its worker died, or its process was killed. */
export const ABANDONED = Symbol("abandoned");

export interface TurnOptions {
  cluster: KitCluster;
  process: KitProcess;
  module: ServerModule;
  /** Names the turn; the same when it runs again. */
  id: string;
  messageId: string;
  attempt: number;
  /** When whoever waits for this turn stops waiting; Infinity where nobody does. */
  callerEndsAt: number;
}

export class Turn implements TurnHost {
  readonly process: KitProcess;
  readonly module: ServerModule;
  /** It waits for something that is not the kit's, and settling need not wait for it any longer. */
  isOutside = false;
  readonly #options: TurnOptions;
  /** Whose replies it waits for, by the id of the call. */
  readonly #waits = new Map<string, { pid: Pid; stop: () => void }>();
  #endsAt = 0;
  #giveUp: ((why: symbol) => void) | undefined;
  #count = 0;

  constructor(options: TurnOptions) {
    this.process = options.process;
    this.module = options.module;
    this.#options = options;
  }

  /** Whether it waits for other processes, and for nothing else. */
  get isParked(): boolean {
    return this.#waits.size > 0;
  }

  /** Whether it still counts; not where its worker has died, or its process was killed, at whatever point of it. */
  get isUnderWay(): boolean {
    return this.process.turn === this;
  }

  /** Throws ABANDONED where the turn does not count any more; for each point at which it has waited and will change something. */
  checkUnderWay(): void {
    if (!this.isUnderWay) throw ABANDONED;
  }

  /** Runs a callback with a context of its own. Rejects with what it threw, TIMED_OUT or ABANDONED. */
  async run<T>(callback: (ctx: TurnContext) => T): Promise<{ returned: Awaited<T>; ctx: TurnContext }> {
    this.checkUnderWay();
    const { process, cluster, module, messageId, attempt } = this.#options;
    this.#endsAt = cluster.clock.now + module.turnTimeoutMs;
    const ctx = new TurnContext({ pid: process.pid, messageId, attempt }, this, process.ties, cluster.journal.log);
    const alarm = cluster.clock.at(this.#endsAt, () => this.#giveUp?.(TIMED_OUT));
    try {
      const returned = await new Promise<Awaited<T>>((resolve, reject) => {
        this.#giveUp = (why) => {
          ctx.seal(why === TIMED_OUT ? "it exceeded its deadline" : "the lease was lost");
          reject(why);
        };
        Promise.resolve(callback(ctx)).then(resolve, reject);
      });
      return { returned, ctx };
    } finally {
      alarm.cancel();
      this.#giveUp = undefined;
      ctx.seal("its callback has returned");
      for (const { stop } of [...this.#waits.values()]) stop();
    }
  }

  abandon(): void {
    this.#giveUp?.(ABANDONED);
  }

  now(): number {
    return this.#options.cluster.clock.now;
  }

  knowsModule(module: string): boolean {
    return this.#options.cluster.module(module) !== undefined;
  }

  newMessageId(): string {
    return this.#options.cluster.ids.next();
  }

  /** The same when the turn runs again, so that what it has started before it is found there. */
  newKey(): string {
    return this.#options.cluster.ids.deriveKey(this.#nextName("key"));
  }

  async call(pid: Pid, text: string, timeoutMs: number): Promise<unknown> {
    const { cluster } = this.#options;
    const id = this.#idOf(`call ${pid} ${text}`);
    const outcome = await this.#ask(id, pid, timeoutMs, (deadlineAt) =>
      cluster.accept(pid, newMail(id, { kind: "call", text, deadlineAt })),
    );
    const replyText = outcome.status === "done" ? outcome.replyText : undefined;
    return replyText === undefined ? null : JSON.parse(replyText);
  }

  async startAndWait(pid: Pid, argsText: string, optionsText: string, timeoutMs: number): Promise<void> {
    const { cluster } = this.#options;
    const there = cluster.findLiving(pid);
    if (there && there.life !== "starting") return;
    const id = there?.startId ?? this.#idOf(`start ${pid} ${argsText}`);
    await this.#ask(id, pid, timeoutMs, () => cluster.begin(pid, id, argsText, readOptions(optionsText)));
  }

  async stopAndWait(pid: Pid, reason: string, timeoutMs: number): Promise<void> {
    const { cluster } = this.#options;
    const id = this.#idOf(`stop ${pid} ${reason}`);
    try {
      await this.#ask(id, pid, timeoutMs, () => cluster.accept(pid, newMail(id, { kind: "stop", reason })));
    } catch (error) {
      if (!(error instanceof CallError) || error.code !== "no_process") throw error;
    }
  }

  async members(group: string): Promise<Pid[]> {
    return [...(this.#options.cluster.groups.get(group) ?? [])].sort();
  }

  /** The outcome of a message that is sent now, or was by an earlier run of this turn. Rejects with a CallError. */
  #ask(
    id: string,
    pid: Pid,
    timeoutMs: number,
    send: (deadlineAt: number) => Refusal | undefined,
  ): Promise<Extract<Outcome, { status: "done" }>> {
    const { cluster, process, callerEndsAt } = this.#options;
    const chain = findChain(cluster, pid, process.pid);
    if (chain) throw new CallError("call_cycle", [process.pid, ...chain].join(" → "));
    const deadlineAt = Math.min(cluster.clock.now + timeoutMs, callerEndsAt, this.#endsAt);
    const refusal = cluster.isAccepted(id) ? undefined : send(deadlineAt);
    if (refusal) throw new CallError(refusal.code, refusal.detail);
    return new Promise((resolve, reject) => {
      const stop = () => {
        alarm.cancel();
        unlisten();
        this.#waits.delete(id);
      };
      const alarm = cluster.clock.at(deadlineAt, () => {
        stop();
        reject(new CallError("call_timeout", `${pid} did not reply within the time of this call`));
      });
      let unlisten = () => {};
      this.#waits.set(id, { pid, stop });
      unlisten = cluster.outcomes.listen(id, (outcome) => {
        stop();
        if (outcome.status === "done") resolve(outcome);
        else reject(new CallError(outcome.error.code, outcome.error.detail));
      });
    });
  }

  /** The same when the turn runs again; what an earlier try of the message was refused is asked anew. */
  #idOf(what: string): string {
    const { cluster, attempt } = this.#options;
    const name = this.#nextName(what);
    let id = cluster.ids.derive(name);
    for (let next = 2; next <= attempt && isRefused(cluster.outcomes.find(id)); next++) {
      id = cluster.ids.derive(`${name} try ${next}`);
    }
    return id;
  }

  /** What a turn asks for has a name that is the same when it runs again. */
  #nextName(what: string): string {
    const { process, id } = this.#options;
    this.#count += 1;
    return [process.startId, id, this.#count, what].join(" ");
  }

  /** Those whose replies it waits for. */
  waitsFor(): Pid[] {
    return [...this.#waits.values()].map(({ pid }) => pid);
  }
}

function isRefused(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && outcome.status !== "done";
}

/** The chain of turns that wait for one another, from `pid` to `goal`; undefined where it does not lead there. */
function findChain(cluster: KitCluster, pid: Pid, goal: Pid, seen = new Set<Pid>()): Pid[] | undefined {
  if (pid === goal) return [goal];
  seen.add(pid);
  for (const next of cluster.find(pid)?.turn?.waitsFor() ?? []) {
    const rest = seen.has(next) ? undefined : findChain(cluster, next, goal, seen);
    if (rest) return [pid, ...rest];
  }
  return undefined;
}
