/**
 * The processes in this worker's memory, the least recently used first, and how they are given up while they are idle: put to
 * sleep, or handed to another worker. What is ahead of its stored state is stored first.
 */

import type { GivenUp, Lease } from "@genserverless/shared/cluster/leases.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { AnswerLost } from "@genserverless/shared/redis/connection.ts";
import type { Activation } from "./activation.ts";
import { type Storing, storeState } from "./store-state.ts";

export interface ResidentsOptions extends Storing {
  mostActivations: number;
  /** Whether a run of the process is under way. */
  isRunning: (pid: Pid) => boolean;
  /** Keeps runs of the process off until what it returns is called. */
  reserve: (pid: Pid) => () => void;
  /** Whether the session of this lease is still the node's. */
  isCurrent: (lease: Lease) => boolean;
}

const BATCH = 500;

export class Residents {
  readonly #options: ResidentsOptions;
  readonly #activations = new Map<Pid, Activation>();

  constructor(options: ResidentsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#activations.size;
  }

  find(pid: Pid): Activation | undefined {
    return this.#activations.get(pid);
  }

  all(): Activation[] {
    return [...this.#activations.values()];
  }

  /** Takes it in, or notes that it was used. */
  hold(activation: Activation): void {
    const { pid } = activation.lease;
    activation.lastUsedAt = Date.now();
    const before = this.#activations.get(pid);
    if (before && before !== activation) before.release();
    this.#activations.delete(pid);
    this.#activations.set(pid, activation);
  }

  forget(pid: Pid): void {
    this.#activations.get(pid)?.release();
    this.#activations.delete(pid);
  }

  /** As `forget`; what has taken its place since stays. */
  forgetThis(activation: Activation): void {
    const { pid } = activation.lease;
    if (this.find(pid) === activation) this.#activations.delete(pid);
    activation.release();
  }

  clear(): void {
    for (const activation of this.#activations.values()) activation.release();
    this.#activations.clear();
  }

  /** Puts to sleep what is idle among these; all of them unless given. */
  async passivate(activations = this.all()): Promise<void> {
    const idle = activations.filter(({ lease }) => !this.#options.isRunning(lease.pid));
    for (const batch of inBatches(idle)) await this.#giveUp(batch, (lease) => this.#options.leases.passivate(lease));
  }

  /** Hands what is idle among these to other workers. */
  async handOver(activations: readonly Activation[]): Promise<void> {
    const idle = activations.filter(({ lease }) => !this.#options.isRunning(lease.pid));
    await this.#giveUp(idle, (lease) => this.#options.leases.handOver(lease));
  }

  /** Puts to sleep what has been idle for its time, and the least recently used of too many; stores what is due to be. */
  async passivateDue(now = Date.now()): Promise<void> {
    for (const activation of this.all()) {
      if (activation.mustStore() && !this.#options.isRunning(activation.lease.pid)) await this.store(activation);
    }
    const surplus = this.size - this.#options.mostActivations;
    const isDue = ({ lastUsedAt, idleAfterMs }: Activation, index: number) =>
      index < surplus || now - lastUsedAt >= idleAfterMs;
    await this.passivate(this.all().filter(isDue));
  }

  /** False where that was not possible now, or the lease is lost. */
  async store(activation: Activation): Promise<boolean> {
    if (!activation.isDirty) return true;
    const release = this.#options.reserve(activation.lease.pid);
    try {
      if (await storeState(activation, this.#options)) return true;
      this.forgetThis(activation);
    } catch (error) {
      // Whether it was stored is not known: the lease no longer names the right revision.
      if (error instanceof AnswerLost) this.forgetThis(activation);
    } finally {
      release();
    }
    return false;
  }

  /**
   * Forgets each and gives its lease up; a wake-up from then on claims it anew. What is refused, or could not be asked, is
   * held on to; what was lost, or of which the answer was, is not: the lease may be another's.
   */
  async #giveUp(activations: readonly Activation[], giveUp: (lease: Lease) => Promise<GivenUp>): Promise<void> {
    const { isRunning, isCurrent } = this.#options;
    const one = async (activation: Activation) => {
      const { lease } = activation;
      const isIdle = () => !isRunning(lease.pid) && this.find(lease.pid) === activation;
      if (!isIdle() || !(await this.store(activation)) || !isIdle()) return;
      this.#activations.delete(lease.pid);
      const isRefused = await giveUp(lease).then(
        (end) => end === "refused",
        (error) => !(error instanceof AnswerLost),
      );
      const isTaken = isRunning(lease.pid) || this.find(lease.pid) !== undefined;
      if (isRefused && !isTaken && isCurrent(lease)) this.hold(activation);
      else activation.release();
    };
    await Promise.all(activations.map(one));
  }
}

function inBatches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH) }, (_, index) =>
    items.slice(index * BATCH, (index + 1) * BATCH),
  );
}
