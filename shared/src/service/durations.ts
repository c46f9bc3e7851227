/** Durations since they were last taken: how many, and their percentiles. */

import { createHistogram } from "node:perf_hooks";

export interface TakenDurations {
  count: number;
  /** 0 where there was none. */
  p50Ms: number;
  p99Ms: number;
}

const US_PER_MS = 1_000;

export class Durations {
  readonly #histogram = createHistogram();

  note(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * US_PER_MS)));
  }

  take(): TakenDurations {
    const { count } = this.#histogram;
    const read = (percentile: number) => (count === 0 ? 0 : this.#histogram.percentile(percentile) / US_PER_MS);
    const taken = { count, p50Ms: read(50), p99Ms: read(99) };
    this.#histogram.reset();
    return taken;
  }
}
