/** One measurement: a load on a system, and what it took. */

import { readCpuMs } from "./cpu-time.ts";
import type { HttpRequest } from "./load/http-connection.ts";
import { type LoadPlan, type LoadResult, runLoad } from "./load/load.ts";
import { addCounts, median, percentile } from "./statistics.ts";
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

export async function measureLoad<Request = HttpRequest>(
  system: Pick<System, "name" | "address" | "rootPids">,
  plan: Omit<LoadPlan<Request>, "address">,
): Promise<Measured> {
  const cpuBefore = readCpuMs(system.rootPids);
  const load = await runLoad<Request>({ ...plan, address: system.address });
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
  const medianOf = (figure: (round: Measurement) => number) => median(rounds.map(figure));
  return {
    rps: medianOf(({ rps }) => rps),
    p50Ms: medianOf(({ p50Ms }) => p50Ms),
    p99Ms: medianOf(({ p99Ms }) => p99Ms),
    cpuMsPerCall: medianOf(({ cpuMsPerCall }) => cpuMsPerCall),
    calls: rounds.reduce((total, { calls }) => total + calls, 0),
    errors: addCounts(rounds.map(({ errors }) => errors)),
  };
}
