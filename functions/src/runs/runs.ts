/**
 * Runs of cron and event functions, each once, however often it is asked for.
 *
 *     nothing ──asked──► waiting for a sandbox ──► begun, on the disk ──► ended, on the disk
 *        ▲                        │                        │
 *        └──── refused, or a kill ┘                        └── a kill: died
 *
 * What was refused, or was waiting when the service ended, has not begun and may be asked for again.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Run } from "@genserverless/shared/functions/functions-client.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Figures, outcomeOfRefusal } from "../pool/figures.ts";
import type { Lease } from "../pool/function-pool.ts";
import type { FoundFunction, Pools, Target } from "../pool/pools.ts";
import { Problem } from "../problems.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { callOnce } from "./call-once.ts";
import { RunStore } from "./run-store.ts";

const KEPT_MS = 24 * 3_600_000;
const SWEEP_ALL_MS = 3_600_000;
const LEAVE_MS = 10_000;

export interface RunOrder {
  target: Target;
  /** What an event function is told. */
  event: unknown;
}

interface UnderWay {
  /** It has a sandbox, or its place in line for one. */
  admitted: Promise<unknown>;
  /** Rejects where it has not begun. */
  ended: Promise<Run>;
  sandbox?: Sandbox;
}

export interface RunsOptions {
  path: string;
  pools: Pools;
  figures: Figures;
  events: Events;
}

export class Runs implements Part {
  readonly #pools: Pools;
  readonly #figures: Figures;
  readonly #events: Events;
  readonly #store: RunStore;
  readonly #underWay = new Map<string, UnderWay>();
  #timer: NodeJS.Timeout | undefined;
  #isLeaving = false;

  constructor({ path, pools, figures, events }: RunsOptions) {
    this.#pools = pools;
    this.#figures = figures;
    this.#events = events;
    this.#store = new RunStore(path, KEPT_MS);
  }

  async start(): Promise<void> {
    const sweep = () => this.#store.sweep(Date.now()).catch((error) => this.#tell("runs.not_swept", error));
    this.#timer = setInterval(sweep, SWEEP_ALL_MS / RunStore.folders).unref();
  }

  /** Lets those that have begun come to their end, for a while. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#isLeaving = true;
    const begun = [...this.#underWay.values()].filter(({ sandbox }) => sandbox);
    const ended = Promise.allSettled(begun.map((one) => one.ended));
    await Promise.race([ended, sleep(LEAVE_MS, undefined, { ref: false })]);
    for (const { sandbox } of begun) sandbox?.end("stopped");
    await ended;
  }

  /**
   * Begins a run, or finds it, and waits for its end for a while. Throws `unknown_build`, `unknown_function`, `queue_full`,
   * `queue_timeout`, `draining`: it has not begun.
   */
  async begin(id: string, order: RunOrder, waitMs: number): Promise<Run> {
    const underWay = this.#underWay.get(id) ?? this.#take(id, order);
    await underWay.admitted;
    return waitForEnd(id, underWay, waitMs);
  }

  /** Throws `unknown_run`. */
  async find(id: string, waitMs: number): Promise<Run> {
    const underWay = this.#underWay.get(id);
    const run = underWay ? await waitForEnd(id, underWay, waitMs).catch(() => undefined) : await this.#store.find(id);
    if (run) return run;
    throw new Problem("unknown_run", `the run ${id} has not begun, or was over a day ago`);
  }

  #take(id: string, order: RunOrder): UnderWay {
    const { promise, resolve: admit } = Promise.withResolvers<void>();
    const ended = this.#carryOut(id, order, admit).finally(() => this.#underWay.delete(id));
    ended.catch(() => {});
    const underWay: UnderWay = { admitted: Promise.race([promise, ended]), ended };
    underWay.admitted.catch(() => {});
    this.#underWay.set(id, underWay);
    return underWay;
  }

  async #carryOut(id: string, { target, event }: RunOrder, admit: () => void): Promise<Run> {
    const known = await this.#store.find(id);
    if (known) return known;
    const found = await this.#pools.find(target, false);
    const lease = await this.#lease(found, admit);
    const run: Run = lease instanceof Problem ? notStarted(id, lease) : await this.#run(id, found, lease, event);
    await this.#store.end(run).catch((error: unknown) => this.#tell("run.not_kept", error));
    return run;
  }

  /** The problem where the function cannot be started. */
  async #lease({ target, pool }: FoundFunction, admit: () => void): Promise<Lease | Problem> {
    try {
      const leasing = pool.acquire();
      // Whoever is refused at once is refused by now.
      await Promise.race([leasing, undefined]);
      admit();
      return await leasing;
    } catch (error) {
      const outcome = outcomeOfRefusal(error);
      this.#figures.noteInvocation(target.project, target.name, outcome, 0);
      if (outcome === "not_started") return error as Problem;
      throw error;
    }
  }

  async #run(id: string, found: FoundFunction, { sandbox, isCold }: Lease, event: unknown): Promise<Run> {
    const { target, pool, spec } = found;
    try {
      if (this.#isLeaving) throw new Problem("draining", "this service is about to leave");
      await this.#store.begin(id);
      const underWay = this.#underWay.get(id);
      if (underWay) underWay.sandbox = sandbox;
      const startedAt = Date.now();
      const takenAt = performance.now();
      const outcome = await callOnce(sandbox, spec.timeoutMs, event);
      const durationMs = Math.round((performance.now() - takenAt) * 10) / 10;
      this.#figures.noteInvocation(target.project, target.name, outcome.status, durationMs);
      return { id, ...outcome, startedAt, durationMs, coldStart: isCold };
    } finally {
      pool.release(sandbox);
    }
  }

  #tell(name: string, error: unknown): void {
    this.#events.emit("error", name, { error: String(error) });
  }
}

function notStarted(id: string, { message }: Problem): Run {
  return { id, status: "not_started", durationMs: 0, coldStart: true, error: message };
}

async function waitForEnd(id: string, { ended }: UnderWay, waitMs: number): Promise<Run> {
  const enough = new AbortController();
  const waited = sleep(waitMs, { id, status: "running" as const }, { signal: enough.signal });
  waited.catch(() => {});
  try {
    return await Promise.race([ended, waited]);
  } finally {
    enough.abort();
  }
}
