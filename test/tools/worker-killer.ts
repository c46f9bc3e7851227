/** Kills one worker after the other, in turn, by SIGKILL, and starts each again. */

import { setTimeout as sleep } from "node:timers/promises";
import type { TestNode } from "./test-cluster.ts";

export class WorkerKiller {
  kills = 0;
  readonly #workers: readonly TestNode[];
  readonly #everyMs: number;
  readonly #isOver = new AbortController();
  #killing: Promise<void> | undefined;

  constructor(workers: readonly TestNode[], everyMs = 1_000) {
    this.#workers = workers;
    this.#everyMs = everyMs;
  }

  start(): void {
    this.#killing ??= this.#kill();
  }

  /** Every worker is alive again. */
  async stop(): Promise<void> {
    this.#isOver.abort();
    await this.#killing;
  }

  async #kill(): Promise<void> {
    const { signal } = this.#isOver;
    while (!signal.aborted) {
      await sleep(this.#everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const victim = this.#workers[this.kills++ % this.#workers.length];
      await victim?.kill();
      await victim?.start();
    }
  }
}
