/**
 * Kills one worker after the other by SIGKILL and starts it again, one each second; on a machine that is slow to boot it
 * waits until the last one is back in the cluster, so that somebody is always there. Whose turn it is, is by chance: what
 * a dead worker had goes to those who have been there longest, and these must not always be the next to die.
 */

import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./test-cluster.ts";
import { until } from "./until.ts";

const BOOTS_WITHIN_MS = 60_000;

export class WorkerKiller {
  kills = 0;
  readonly #workers: readonly TestNode[];
  readonly #everyMs: number;
  readonly #isOver = new AbortController();
  #last: TestNode | undefined;
  #killing: Promise<void> | undefined;

  constructor(workers: readonly TestNode[], everyMs = 1_000) {
    this.#workers = workers;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#killing ??= this.#killAll();
  }

  /** Every worker is back. */
  async stop(): Promise<void> {
    this.#isOver.abort();
    await this.#killing;
  }

  async #killAll(): Promise<void> {
    const { signal } = this.#isOver;
    const pause = () => sleep(this.#everyMs, undefined, { signal }).catch(() => {});
    await pause();
    while (!signal.aborted) await Promise.all([this.#killOne(), pause()]);
  }

  async #killOne(): Promise<void> {
    const others = this.#workers.filter((worker) => worker !== this.#last);
    const victim = others[randomInt(others.length)];
    if (!victim) return;
    this.#last = victim;
    const boots = countBoots(victim);
    await victim.kill();
    this.kills += 1;
    await victim.start();
    await until(() => countBoots(victim) > boots, { withinMs: BOOTS_WITHIN_MS, what: `${victim.name} is back` });
  }
}

/** How often a worker has joined the cluster. */
export function countBoots({ records }: TestNode): number {
  return records.filter(({ msg }) => msg === "session.registered").length;
}
