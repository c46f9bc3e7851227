/** W7: how late timers come that were set beforehand, and how fast many are handled that are due at one instant. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { AlarmClock, Alarms } from "../modules/alarm-clock.ts";
import { WrongCounters } from "./counter-check.ts";
import { readCpuMs } from "./cpu-time.ts";
import { runLoad } from "./load/load.ts";
import type { OurCluster } from "./our-cluster.ts";
import { namePids, readStatesAtRest, startProcesses, untilStates } from "./process-states.ts";
import { median, percentile, total } from "./statistics.ts";
import { listWorkers, untilReplaced } from "./workers.ts";

/** Lateness is when handleInfo runs, by the cluster's time, less when the timer was due. */
export interface TimerMeasurement {
  earliestMs: number;
  medianMs: number;
  p99Ms: number;
  latestMs: number;
  /** From when the first is due to when the last is handled. */
  elapsedMs: number;
  perSecond: number;
  cpuMsPerTimer: number;
  timers: number;
}

/** Due evenly over 10 s, the same and a worker is killed in the middle, or all at one instant. */
export type TimerWay = "spread" | "kill" | "instant";

export interface TimerPlan {
  way: TimerWay;
  round: number;
  timers: number;
  /** 10,000 unless given. */
  overMs?: number;
}

interface Schedule {
  timers: number;
  firstAt: number;
  overMs: number;
}

const TIMERS_PER_PROCESS = 10;
const OVER_MS = 10_000;
const CONNECTIONS = 64;
/** From when the first is set to when the first is due. */
const LEAD_MS = 1_000;
const LEAD_MS_PER_TIMER = 1.5;
const HANDLED_WITHIN_MS = 60_000;

/** One measurement on processes of its own. A timer that is lost or doubled is an error. */
export async function measureTimers(
  cluster: OurCluster,
  { way, round, timers, overMs = OVER_MS }: TimerPlan,
): Promise<TimerMeasurement> {
  const pids = namePids("alarm-clock", `W7-${way}-${round}-`, Math.ceil(timers / TIMERS_PER_PROCESS));
  await startProcesses(cluster, pids);
  const firstAt = Date.now() + LEAD_MS + timers * LEAD_MS_PER_TIMER;
  const schedule = { timers, firstAt, overMs: way === "instant" ? 0 : overMs };
  await setTimers(cluster, pids, schedule);
  const workers = await listWorkers(cluster);
  const [victim] = way === "kill" ? workers : [];
  await sleepUntil(firstAt);
  const cpuBefore = readCpuMs(cluster.rootPids);
  await sleepUntil(firstAt + schedule.overMs / 2);
  if (victim !== undefined) process.kill(victim, "SIGKILL");
  await sleepUntil(firstAt + schedule.overMs);
  const isDone = (states: AlarmClock[]) => countCome(states) >= timers;
  await untilStates<AlarmClock>(cluster, pids, isDone, HANDLED_WITHIN_MS);
  const cpuMs = readCpuMs(cluster.rootPids) - cpuBefore;
  if (victim !== undefined) await untilReplaced(cluster, workers, victim);
  const states = await readStatesAtRest<AlarmClock>(cluster, pids);
  return { ...describeTimers(states, schedule), cpuMsPerTimer: cpuMs / timers, timers };
}

/** Timer `n` belongs to process `n` modulo their number, so that each has some in every part of the time. */
async function setTimers(cluster: OurCluster, pids: readonly Pid[], schedule: Schedule): Promise<void> {
  const { timers, firstAt } = schedule;
  const alarms: Alarms[] = pids.map(() => ({}));
  for (let timer = 0; timer < timers; timer++) {
    const own = alarms[timer % pids.length] as Alarms;
    own[String(timer)] = dueAt(timer, schedule);
  }
  const requests = pids.map((pid, index) => cluster.castRequest(pid, alarms[index]));
  const { errors } = await runLoad({ address: cluster.address, connections: CONNECTIONS, requests });
  if (Object.keys(errors).length > 0) throw new Error(`timers were not set: ${JSON.stringify(errors)}`);
  const isSet = (states: AlarmClock[]) => total(states, ({ set }) => set) === timers;
  const states = await untilStates<AlarmClock>(cluster, pids, isSet, firstAt - Date.now());
  if (!isSet(states)) throw new Error(`not all of ${timers} timers were set before the first was due`);
}

function dueAt(timer: number, { timers, firstAt, overMs }: Schedule): number {
  return firstAt + Math.floor((timer * overMs) / timers);
}

/** Throws WrongCounters where a timer is lost or doubled. */
export function describeTimers(states: readonly AlarmClock[], schedule: Schedule) {
  const { timers, firstAt } = schedule;
  const late = states.flatMap(({ lateMs }) => Object.entries(lateMs));
  const sorted = late.map(([, ms]) => ms).sort((one, other) => one - other);
  const doubled = total(states, (state) => state.doubled);
  if (late.length !== timers || doubled > 0) {
    throw new WrongCounters(`of ${timers} timers ${timers - late.length} are lost, and ${doubled} came again`);
  }
  const elapsedMs = Math.max(...late.map(([timer, ms]) => dueAt(Number(timer), schedule) + ms - firstAt));
  return {
    earliestMs: sorted[0] ?? 0,
    medianMs: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    latestMs: sorted.at(-1) ?? 0,
    elapsedMs,
    perSecond: (timers * 1_000) / elapsedMs,
  };
}

/** Each figure's median over the rounds, but the earliest and the latest of all; timers add up. */
export function combineTimers(rounds: readonly TimerMeasurement[]): TimerMeasurement {
  const medianOf = (figure: (round: TimerMeasurement) => number) => median(rounds.map(figure));
  return {
    earliestMs: Math.min(...rounds.map(({ earliestMs }) => earliestMs)),
    medianMs: medianOf(({ medianMs }) => medianMs),
    p99Ms: medianOf(({ p99Ms }) => p99Ms),
    latestMs: Math.max(...rounds.map(({ latestMs }) => latestMs)),
    elapsedMs: medianOf(({ elapsedMs }) => elapsedMs),
    perSecond: medianOf(({ perSecond }) => perSecond),
    cpuMsPerTimer: medianOf(({ cpuMsPerTimer }) => cpuMsPerTimer),
    timers: total(rounds, ({ timers }) => timers),
  };
}

function countCome(states: readonly AlarmClock[]): number {
  return total(states, ({ lateMs }) => Object.keys(lateMs).length);
}

async function sleepUntil(at: number): Promise<void> {
  await sleep(Math.max(0, at - Date.now()));
}
