/** W8: calls to entities, held against the calls of W3, and what it takes to make an entity of its journal. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { until } from "../../test/tools/until.ts";
import { WrongCounters } from "./counter-check.ts";
import { runLoad } from "./load/load.ts";
import { type Measurement, measureLoad } from "./measurement.ts";
import type { OurCluster } from "./our-cluster.ts";
import { namePids } from "./process-states.ts";
import { median } from "./statistics.ts";

/** How long the first call of a sleeping entity takes beyond that of one in memory, in ms, the median of some. */
export interface RecoveryMeasurement {
  events: number;
  /** Of them, those behind the snapshot. */
  folded: number;
  coldMs: number;
  warmMs: number;
  recoveryMs: number;
}

export type RecoveryWay = "snapshots" | "whole";

const PROCESSES = 1_000;
const CONNECTIONS = 64;
const WARM_UP_SECONDS = 2;
const EVENTS_AT_ONCE = 1_000;
const IDLE_AFTER_MS = 100;
const RECOVERIES: Record<RecoveryWay, { module: string; events: number; snapshotEvery: number; times: number }> = {
  snapshots: { module: "tally", events: 10_050, snapshotEvery: 100, times: 15 },
  whole: { module: "tally-without-snapshots", events: 100_000, snapshotEvery: Infinity, times: 3 },
};

/** As W3, with entities. */
export async function measureEntities(
  cluster: OurCluster,
  { round, seconds }: { round: number; seconds: number },
): Promise<Measurement> {
  const pids = namePids("tally", `W8-${round}-`, PROCESSES);
  const requests = pids.map((pid) => cluster.callRequest(pid, { add: 1 }));
  const warmUp = await runLoad({
    address: cluster.address,
    connections: CONNECTIONS,
    requests,
    seconds: WARM_UP_SECONDS,
  });
  const { load, measurement } = await measureLoad(cluster, { connections: CONNECTIONS, requests, seconds });
  for (const [index, pid] of pids.entries()) {
    const least = (warmUp.acknowledged[index] ?? 0) + (load.acknowledged[index] ?? 0);
    const most = least + (warmUp.unacknowledged[index] ?? 0) + (load.unacknowledged[index] ?? 0);
    const total = await askTotal(cluster, pid);
    if (total < least || total > most) throw new WrongCounters(`${pid} is ${total}, acknowledged are ${least}`);
  }
  return measurement;
}

export async function measureRecovery(
  cluster: OurCluster,
  way: RecoveryWay,
  round: number,
): Promise<RecoveryMeasurement> {
  const { module, events, snapshotEvery, times } = RECOVERIES[way];
  const [pid] = namePids(module, `W8-recovery-${round}-`, 1) as [Pid];
  const { client } = cluster;
  const [, key] = pid.split("/") as [string, string];
  await client.start(module, key, { options: { idleAfterMs: IDLE_AFTER_MS } });
  for (let left = events; left > 0; left -= EVENTS_AT_ONCE) {
    await client.call(pid, { addOneByOne: Math.min(left, EVENTS_AT_ONCE) }, { timeoutMs: 30_000 });
  }
  const cold: number[] = [];
  const warm: number[] = [];
  for (let time = 0; time < times; time++) {
    await until(async () => (await client.read(pid, { withState: false })).body["owner"] === null, {
      withinMs: 60_000,
    });
    cold.push(await timeTotal(cluster, pid, events));
    warm.push(await timeTotal(cluster, pid, events));
    await sleep(IDLE_AFTER_MS);
  }
  const [coldMs, warmMs] = [median(cold), median(warm)];
  const folded = Number.isFinite(snapshotEvery) ? events % snapshotEvery : events;
  return { events, folded, coldMs, warmMs, recoveryMs: coldMs - warmMs };
}

async function timeTotal(cluster: OurCluster, pid: Pid, expected: number): Promise<number> {
  const startedAt = performance.now();
  const total = await askTotal(cluster, pid);
  if (total !== expected) throw new WrongCounters(`${pid} is ${total}, and ${expected} events were acknowledged`);
  return performance.now() - startedAt;
}

async function askTotal(cluster: OurCluster, pid: Pid): Promise<number> {
  const { status, body } = await cluster.client.call(pid, "total", { timeoutMs: 30_000 });
  if (status !== 200) throw new Error(`${pid} answers ${status} ${JSON.stringify(body)}`);
  return body["reply"] as number;
}
