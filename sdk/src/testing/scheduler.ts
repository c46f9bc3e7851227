/**
 * Lets processes run, one turn after the other, and time pass between them. A turn that waits for another process makes way
 * for it; one that waits for something outside of the kit – a socket, a real timer – is waited for, in real time, but not
 * for ever: after `patienceMs` the kit goes on without it.
 *
 * One drives at a time. Whoever waits for an answer lets time pass only while nobody else has something to do, so that a call
 * can be made, and awaited after the test has moved the clock itself.
 */

import type { KitCluster } from "./kit-cluster.ts";
import type { KitProcess } from "./kit-process.ts";
import type { Worker } from "./worker.ts";

const MOST_TURNS = 1_000_000;
/** So many rounds of the event loop, then it is looked once per ms. */
const QUICK_LOOKS = 50;
/** The real ones, also where a test has its own in their place. */
const { setImmediate, setTimeout } = globalThis;

export class Scheduler {
  readonly #cluster: KitCluster;
  readonly #worker: Worker;
  readonly #patienceMs: number;
  readonly #running = new Set<KitProcess>();
  /** How many want to drive, or do, but for those who wait for an answer. */
  #commands = 0;
  #last: Promise<unknown> = Promise.resolve();
  #fault: { error: unknown } | undefined;

  constructor(cluster: KitCluster, worker: Worker, patienceMs: number) {
    this.#cluster = cluster;
    this.#worker = worker;
    this.#patienceMs = patienceMs;
  }

  /** Runs until nothing is ready; the clock stands still. */
  settle(): Promise<void> {
    return this.#command(() => this.#settle());
  }

  /** Lets `ms` pass: whatever is due on the way is handled at its time. */
  advance(ms: number): Promise<void> {
    return this.#command(async () => {
      const { clock } = this.#cluster;
      const endsAt = clock.now + ms;
      await this.#settle();
      while (clock.nextDueAt !== undefined && clock.nextDueAt <= endsAt) await this.#jump();
      clock.moveTo(endsAt);
    });
  }

  /** Runs until it is so. Where nothing is ready, and nobody else drives, time passes to the next that is due. */
  async until(isSo: () => boolean): Promise<void> {
    await this.#drive(() => this.#settle());
    while (!isSo() && this.#cluster.clock.nextDueAt !== undefined) {
      await nextLoop();
      await this.#drive(async () => {
        if (!isSo() && this.#commands === 0) await this.#jump();
      });
    }
  }

  async #command(work: () => Promise<void>): Promise<void> {
    this.#commands += 1;
    try {
      await this.#drive(work);
    } finally {
      this.#commands -= 1;
    }
  }

  #drive(work: () => Promise<void>): Promise<void> {
    const driven = this.#last.then(work);
    this.#last = driven.catch(() => {});
    return driven;
  }

  /** To the next instant at which something is due. */
  async #jump(): Promise<void> {
    const { clock } = this.#cluster;
    if (clock.nextDueAt !== undefined) clock.moveTo(clock.nextDueAt);
    await this.#settle();
  }

  async #settle(): Promise<void> {
    for (let turns = 0; turns < MOST_TURNS; turns += 1) {
      await this.#rest();
      if (this.#fault) throw this.#fault.error;
      const process = this.#cluster.takeReady();
      if (!process) return;
      void this.#run(process);
    }
    throw new Error(`the processes do not come to rest: ${MOST_TURNS} turns while the clock stood still`);
  }

  async #run(process: KitProcess): Promise<void> {
    this.#running.add(process);
    try {
      await this.#worker.handle(process);
    } catch (error) {
      this.#fault = { error };
    } finally {
      if (!process.turn) this.#running.delete(process);
    }
  }

  /** Waits for the turns under way, but for those that wait for other processes, or for too long. */
  async #rest(): Promise<void> {
    if (this.#running.size === 0) return;
    const endsAt = performance.now() + this.#patienceMs;
    for (let looks = 1; ; looks += 1) {
      await (looks <= QUICK_LOOKS ? nextLoop() : aMillisecond());
      const turns = [...this.#running].map(({ turn }) => turn);
      const busy = turns.filter((turn) => turn && !turn.isParked && !turn.isOutside);
      if (busy.length === 0) return;
      if (performance.now() <= endsAt) continue;
      for (const turn of busy) if (turn) turn.isOutside = true;
    }
  }
}

function nextLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function aMillisecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
