/** When a process has crashed lately. It outlives the state that a crash has spoilt, as long as any of them counts. */

import type { Intensity } from "genserverless/server-module.ts";

export class Crashes {
  readonly #intensity: Intensity;
  readonly #times: number[] = [];

  constructor(intensity: Intensity) {
    this.#intensity = intensity;
  }

  /** Counts one; says whether there were more within the time than the module's intensity allows. */
  note(now = performance.now()): boolean {
    const { crashes, withinMs } = this.#intensity;
    this.#times.push(now);
    while ((this.#times[0] ?? now) < now - withinMs) this.#times.shift();
    return this.#times.length > crashes;
  }

  /** Whether none of them counts any more. */
  isOver(now = performance.now()): boolean {
    return (this.#times.at(-1) ?? -Infinity) < now - this.#intensity.withinMs;
  }
}
