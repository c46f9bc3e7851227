/**
 * W6: casts from processes to processes, held against casts over HTTP, in turns, on one cluster. Both are the same cast to
 * the same module, each to a process picked at random, and both count when they have been handled.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Circle, Hop, Hopped, Release } from "../modules/hopper.ts";
import { WrongCounters } from "./counter-check.ts";
import { readCpuMs } from "./cpu-time.ts";
import { type LoadResult, runLoad } from "./load/load.ts";
import type { OurCluster } from "./our-cluster.ts";
import { namePids, readStatesAtRest, startProcesses, untilStates } from "./process-states.ts";
import { addCounts, median, total } from "./statistics.ts";

export interface CastMeasurement {
  /** Handled casts divided by the time from the first that was sent to the last that was handled. */
  perSecond: number;
  cpuMsPerCast: number;
  casts: number;
  errors: Record<string, number>;
}

/** How many casts between processes are under way at once. */
const TOKENS = { inFlight64: 64, inFlight1000: 1_000 };

export type CastWay = "http" | keyof typeof TOKENS;
export const CAST_WAYS: readonly CastWay[] = ["http", "inFlight64", "inFlight1000"];

export interface CastPlan {
  round: number;
  seconds: number;
  /** 2 unless given. */
  warmUpSeconds?: number;
  processes: number;
}

const CONNECTIONS = 64;
const WARM_UP_SECONDS = 2;
const HANDLED_WITHIN_MS = 60_000;

interface Casting {
  cluster: OurCluster;
  circle: Circle;
}

/** One measurement on processes of its own, which were started and warmed up before. */
export async function measureCasts(
  cluster: OurCluster,
  way: CastWay,
  { round, seconds, warmUpSeconds = WARM_UP_SECONDS, processes }: CastPlan,
): Promise<CastMeasurement> {
  const casting = { cluster, circle: { prefix: `W6-${way}-${round}-`, size: processes } };
  await startProcesses(cluster, pidsOf(casting));
  const castFor = way === "http" ? castOverHttp : castBetweenProcesses(TOKENS[way]);
  await castFor(casting, warmUpSeconds);
  return await castFor(casting, seconds);
}

/** Each connection with one cast in flight; the answer says that it was accepted. */
async function castOverHttp(casting: Casting, seconds: number): Promise<CastMeasurement> {
  const { cluster, circle } = casting;
  const message: Hop = { circle, until: 0, hop: 1 };
  const requests = pidsOf(casting).map((pid) => cluster.castRequest(pid, message));
  return await measure(casting, async (before) => {
    const load = await runLoad({ address: cluster.address, connections: CONNECTIONS, requests, seconds });
    const least = before.handled + total([...load.acknowledged], Number);
    const most = least + total([...load.unacknowledged], Number);
    return { load, isDone: ({ handled }) => handled >= least, isRight: ({ handled }) => handled <= most };
  });
}

/** So many tokens, each of which goes from process to process until the time is over. */
function castBetweenProcesses(tokens: number): (casting: Casting, seconds: number) => Promise<CastMeasurement> {
  return (casting, seconds) =>
    measure(casting, async (before) => {
      const { cluster, circle } = casting;
      const message: Release = { circle, until: Date.now() + seconds * 1_000, tokens };
      const { status, body } = await cluster.client.cast(`hopper/${circle.prefix}0`, message);
      if (status !== 202) throw new Error(`the tokens were not released: ${status} ${JSON.stringify(body)}`);
      await sleep(message.until - Date.now());
      const ended = before.ended + tokens;
      return { isDone: (now) => now.ended >= ended, isRight: (now) => now.ended === ended && now.handled === now.hops };
    });
}

interface Sent {
  load?: LoadResult;
  /** Whether everything has been handled, and whether it has been handled once. */
  isDone(sum: Hopped): boolean;
  isRight(sum: Hopped): boolean;
}

async function measure(casting: Casting, send: (before: Hopped) => Promise<Sent>): Promise<CastMeasurement> {
  const { cluster } = casting;
  const pids = pidsOf(casting);
  const before = sum(await readStatesAtRest<Hopped>(cluster, pids));
  const cpuBefore = readCpuMs(cluster.rootPids);
  const startedAt = Date.now();
  const { load, isDone, isRight } = await send(before);
  await untilStates<Hopped>(cluster, pids, (states) => isDone(sum(states)), HANDLED_WITHIN_MS);
  const cpuMs = readCpuMs(cluster.rootPids) - cpuBefore;
  const after = sum(await readStatesAtRest<Hopped>(cluster, pids));
  if (!isDone(after) || !isRight(after)) {
    throw new WrongCounters(
      `casts were lost or doubled: before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
    );
  }
  const casts = after.handled - before.handled;
  const perSecond = (casts * 1_000) / (after.lastAt - startedAt);
  return { perSecond, cpuMsPerCast: cpuMs / casts, casts, errors: load?.errors ?? {} };
}

/** Each figure's median over the rounds; casts and errors add up. */
export function combineCasts(rounds: readonly CastMeasurement[]): CastMeasurement {
  return {
    perSecond: median(rounds.map(({ perSecond }) => perSecond)),
    cpuMsPerCast: median(rounds.map(({ cpuMsPerCast }) => cpuMsPerCast)),
    casts: total(rounds, ({ casts }) => casts),
    errors: addCounts(rounds.map(({ errors }) => errors)),
  };
}

function pidsOf({ circle }: Casting) {
  return namePids("hopper", circle.prefix, circle.size);
}

function sum(states: readonly Hopped[]): Hopped {
  return {
    handled: total(states, ({ handled }) => handled),
    ended: total(states, ({ ended }) => ended),
    hops: total(states, ({ hops }) => hops),
    lastAt: Math.max(...states.map(({ lastAt }) => lastAt)),
  };
}
