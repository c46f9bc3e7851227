/** W7 as figures and as a table. */

import type { Measurement } from "./measurement.ts";
import { alignTable } from "./table.ts";
import type { TimerMeasurement } from "./timers.ts";

export interface TimerResult {
  spread: TimerMeasurement;
  kill: TimerMeasurement;
  instant: TimerMeasurement;
  /** W3 on the cluster that handled the instant. */
  calls: Measurement;
  /** Timers a second of the instant divided by calls a second. */
  ratio: { perSecond: number; cpuMs: number };
}

export function compareTimers(
  spread: TimerMeasurement,
  kill: TimerMeasurement,
  instant: TimerMeasurement,
  calls: Measurement,
): TimerResult {
  const perSecond = instant.perSecond / calls.rps;
  const cpuMs = instant.cpuMsPerTimer / calls.cpuMsPerCall;
  return { spread, kill, instant, calls, ratio: { perSecond, cpuMs } };
}

export function formatTimers(name: string, { spread, kill, instant, calls, ratio }: TimerResult): string {
  const late = (who: string, { medianMs, p99Ms, latestMs, cpuMsPerTimer, timers }: TimerMeasurement) => [
    ...[name, who, medianMs.toFixed(0), p99Ms.toFixed(0), latestMs.toFixed(0), "", cpuMsPerTimer.toFixed(3)],
    String(timers),
  ];
  const rate = (who: string, perSecond: string, cpuMs: string, count: string) => [
    ...[name, who, "", "", "", perSecond, cpuMs, count],
  ];
  const { perSecond, cpuMsPerTimer, timers } = instant;
  return alignTable([
    ["", "", "median ms late", "p99 ms", "latest ms", "per s", "CPU-ms each", "count"],
    late("over 10 s", spread),
    late("over 10 s, a worker killed", kill),
    rate("at one instant", perSecond.toFixed(0), cpuMsPerTimer.toFixed(3), String(timers)),
    rate("W3's calls", calls.rps.toFixed(0), calls.cpuMsPerCall.toFixed(3), String(calls.calls)),
    rate("at one instant / W3's calls", ratio.perSecond.toFixed(2), ratio.cpuMs.toFixed(2), ""),
  ]);
}
