/**
 * The workloads, and how W1 to W5 are measured; W6 is in casts.ts, W7 in timers.ts, W8 in entities.ts, W9 in
 * grpc-road.ts, W10 in functions-road.ts. Each runs on systems that were started for it; each round of W1 to W4 has counters of its own, which are checked when it is over.
 */

import { checkCounters } from "./counter-check.ts";
import { runLoad } from "./load/load.ts";
import { type Measurement, measureLoad } from "./measurement.ts";
import { countClients, readKeyspaceBytes, untilFewVolatileKeys } from "./redis-memory.ts";
import type { System } from "./system.ts";

export type WorkloadName = "W1" | "W2" | "W3" | "W4" | "W5" | "W6" | "W7" | "W8" | "W9" | "W10";

export const WORKLOADS: Record<WorkloadName, string> = {
  W1: "one process, 1 connection",
  W2: "one hot process, 64 connections",
  W3: "1,000 processes, 64 connections",
  W4: "first touch of new processes, 64 connections",
  W5: "bytes of Redis per passivated process",
  W6: "casts between 1,000 processes, held against casts over HTTP",
  W7: "timers: how late, also when a worker is killed, and how fast",
  W8: "entities: calls held against W3's, and how fast they are made of their journals",
  W9: "a user function's cart over gRPC, held against the entity's over HTTP",
  W10: "functions: a warm one held against its bare handler, cold starts, and a hundred crons at once",
};

const CALLS = {
  W1: { processes: 1, connections: 1 },
  W2: { processes: 1, connections: 64 },
  W3: { processes: 1_000, connections: 64 },
};
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 2;
const WARM_UP_PROCESSES = 2_000;
const FEW_PROCESSES = 20;

const IDLE_AFTER_MS = 100;
/** What nodes keep for themselves, as their sessions. */
const VOLATILE_KEYS_AT_REST = 100;
/** An outcome is kept for 60 s. */
const AT_REST_WITHIN_MS = 180_000;

/** W1 to W3: calls to processes that were started and warmed up before. */
export async function measureCalls(
  system: System,
  name: keyof typeof CALLS,
  { round, seconds, warmUpSeconds = WARM_UP_SECONDS }: { round: number; seconds: number; warmUpSeconds?: number },
): Promise<Measurement> {
  const { processes, connections } = CALLS[name];
  const keys = nameKeys(name, round, processes);
  const { address } = system;
  const starts = await runLoad({ address, connections, requests: keys.map((key) => system.startRequest(key)) });
  const requests = keys.map((key) => system.addRequest(key));
  const warmUp = await runLoad({ address, connections, requests, seconds: warmUpSeconds });
  const { load, measurement } = await measureLoad(system, { connections, requests, seconds });
  await checkCounters(system, keys, [starts, warmUp, load]);
  return measurement;
}

/** W4: every request is the first that its process gets; the warm-up touches others. */
export async function measureFirstTouch(system: System, round: number, processes: number): Promise<Measurement> {
  await startAll(system, nameKeys("warm-up", round, WARM_UP_PROCESSES));
  const keys = nameKeys("W4", round, processes);
  const requests = keys.map((key) => system.startRequest(key));
  const { load, measurement } = await measureLoad(system, { connections: CONNECTIONS, requests });
  await checkCounters(system, keys, [load]);
  return measurement;
}

/** Redis connections by client name while there are few processes. */
export async function countClientsOfFew(system: System): Promise<Record<string, number>> {
  await startAll(system, nameKeys("few", 0, FEW_PROCESSES));
  return countClients(system.redis);
}

/** W5: what one passivated process leaves in Redis when everything that is kept for a while is gone. */
export async function measureBytes(system: System, processes: number): Promise<number> {
  const atRest = () => untilFewVolatileKeys(system.redis, VOLATILE_KEYS_AT_REST, AT_REST_WITHIN_MS);
  await atRest();
  const before = await readKeyspaceBytes(system.redis);
  const keys = nameKeys("W5", 0, processes);
  await startAll(system, keys, { idleAfterMs: IDLE_AFTER_MS });
  await system.untilAllPassivated(keys);
  await atRest();
  return ((await readKeyspaceBytes(system.redis)) - before) / processes;
}

async function startAll(system: System, keys: string[], options?: { idleAfterMs: number }): Promise<void> {
  const requests = keys.map((key) => system.startRequest(key, options));
  const { errors } = await runLoad({ address: system.address, connections: CONNECTIONS, requests });
  if (Object.keys(errors).length > 0) throw new Error(`${system.name}: starts failed: ${JSON.stringify(errors)}`);
}

function nameKeys(prefix: string, round: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${round}-${index}`);
}
