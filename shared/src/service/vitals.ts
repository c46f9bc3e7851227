/** How the operating-system process does: what it burns, and how late its event loop runs, since that was last taken. */

import { monitorEventLoopDelay } from "node:perf_hooks";

export interface Vitals {
  /** CPU seconds per second: 1 is one core. */
  load: number;
  /** The 99th percentile of how late the event loop was, in ms. */
  lagMs: number;
}

const RESOLUTION_MS = 20;
const NS_PER_MS = 1_000_000;

export class VitalSigns {
  readonly #delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #usage = process.cpuUsage();
  #takenAt = performance.now();

  start(): void {
    this.#delays.enable();
  }

  stop(): void {
    this.#delays.disable();
  }

  take(): Vitals {
    const { user, system } = process.cpuUsage(this.#usage);
    const now = performance.now();
    const load = (user + system) / 1_000 / Math.max(1, now - this.#takenAt);
    this.#usage = process.cpuUsage();
    this.#takenAt = now;
    // The histogram holds the whole interval between two samples, of which its resolution is no delay.
    const lagMs = this.#delays.count === 0 ? 0 : Math.max(0, this.#delays.percentile(99) / NS_PER_MS - RESOLUTION_MS);
    this.#delays.reset();
    return { load, lagMs };
  }
}
