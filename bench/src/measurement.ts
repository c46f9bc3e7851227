/** One measurement: a load on a system, and what it took. */

import { readCpuMs } from "./cpu-time.ts";
import { type LoadPlan, type LoadResult, runLoad } from "./load/load.ts";
import type { System } from "./system.ts";

export interface Measurement {
  rps: number;
  p50Ms: number;
  p99Ms: number;
  /** Over all server processes; the client is not among them. */
  cpuMsPerCall: number;
  calls: number;
  errors: Record<string, number>;
}

export interface Measured {
  load: LoadResult;
  measurement: Measurement;
}

export async function measureLoad(system: System, plan: Omit<LoadPlan, "address">): Promise<Measured> {
  const cpuBefore = readCpuMs(system.rootPids);
  const load = await runLoad({ ...plan, address: system.address });
  const cpuMs = readCpuMs(system.rootPids) - cpuBefore;
  const { latencies, elapsedMs, errors } = load;
  const calls = latencies.length;
  if (calls === 0) throw new Error(`${system.name} acknowledged no call: ${JSON.stringify(errors)}`);
  const measurement = {
    rps: (calls * 1_000) / elapsedMs,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuMsPerCall: cpuMs / calls,
    calls,
    errors,
  };
  return { load, measurement };
}

/** Each figure's median over the rounds; calls and errors add up. */
export function combineRounds(rounds: readonly Measurement[]): Measurement {
  const medianOf = (figure: (round: Measurement) => number) => {
    const sorted = rounds.map(figure).sort((one, other) => one - other);
    const middle = Math.floor(sorted.length / 2);
    const upper = sorted[middle] ?? 0;
    return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
  };
  const errors: Record<string, number> = {};
  for (const round of rounds) {
    for (const [error, count] of Object.entries(round.errors)) errors[error] = (errors[error] ?? 0) + count;
  }
  return {
    rps: medianOf(({ rps }) => rps),
    p50Ms: medianOf(({ p50Ms }) => p50Ms),
    p99Ms: medianOf(({ p99Ms }) => p99Ms),
    cpuMsPerCall: medianOf(({ cpuMsPerCall }) => cpuMsPerCall),
    calls: rounds.reduce((total, { calls }) => total + calls, 0),
    errors,
  };
}

function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
