/** W6 and W7 on a real cluster, with little of everything. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createKit } from "genserverless/testing";
import { assertNoChildLeft } from "../../test/tools/child.ts";
import alarmClock from "../modules/alarm-clock.ts";
import hopper, { type Hop, type Hopped } from "../modules/hopper.ts";
import { compareCasts, formatCasts } from "./cast-report.ts";
import { CAST_WAYS, type CastMeasurement, combineCasts, measureCasts } from "./casts.ts";
import { WrongCounters } from "./counter-check.ts";
import { OurCluster } from "./our-cluster.ts";
import { readStatesAtRest } from "./process-states.ts";
import { compareTimers, formatTimers } from "./timer-report.ts";
import { combineTimers, describeTimers, measureTimers, type TimerMeasurement } from "./timers.ts";

const BEGIN = Date.UTC(2030, 0, 1);

const cluster = new OurCluster(2);

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  await cluster.stop();
  assertNoChildLeft();
});

for (const way of CAST_WAYS) {
  test(`casts are measured: ${way}`, async () => {
    const plan = { round: 1, seconds: 1.3, warmUpSeconds: 0.2, processes: 20 };
    const { perSecond, cpuMsPerCast, casts, errors } = await measureCasts(cluster, way, plan);
    assert.ok(perSecond > 0 && cpuMsPerCast > 0 && casts > 0);
    assert.deepEqual(errors, {});
  });
}

test("timers are measured, each once, while a worker is killed", async () => {
  const plan = { way: "kill", round: 1, timers: 800, overMs: 500 } as const;
  const { medianMs, p99Ms, latestMs, elapsedMs, timers } = await measureTimers(cluster, plan);
  assert.ok(medianMs <= p99Ms && p99Ms <= latestMs && elapsedMs >= 250);
  assert.equal(timers, 800);
});

test("a process that has mail left is named", async () => {
  const { status } = await cluster.client.cast("hopper/W6-http-1-3", {}, { delayMs: 60_000 });
  assert.equal(status, 202);
  await assert.rejects(readStatesAtRest(cluster, ["hopper/W6-http-1-3"]), WrongCounters);
});

test("a timer that is lost or comes again is an error", () => {
  const schedule = { timers: 2, firstAt: 0, overMs: 100 };
  const come = { set: 1, lateMs: { 0: 5 }, doubled: 0 };
  const last = { set: 1, lateMs: { 1: 10 }, doubled: 0 };
  const { medianMs, latestMs, elapsedMs, perSecond } = describeTimers([come, last], schedule);
  assert.deepEqual([medianMs, latestMs, elapsedMs, Math.round(perSecond)], [10, 10, 60, 33]);
  assert.throws(() => describeTimers([come], schedule), /of 2 timers 1 are lost, and 0 came again/);
  assert.throws(() => describeTimers([come, { ...last, doubled: 1 }], schedule), /0 are lost, and 1 came again/);
});

test("a hop whose time is over counts, and goes no further; tokens set out from one process", async () => {
  const kit = createKit({ modules: [hopper], startAt: BEGIN });
  const pids = await Promise.all([0, 1, 2].map((index) => kit.start("hopper", { key: `h${index}` })));
  const circle = { prefix: "h", size: 3 };
  await kit.cast("hopper/h0", { circle, until: 0, hop: 7 } satisfies Hop);
  assert.deepEqual(kit.state("hopper/h0"), { handled: 1, ended: 1, hops: 7, lastAt: BEGIN });
  await kit.cast("hopper/h0", { circle, until: BEGIN, tokens: 5 });
  const states = pids.map((pid) => kit.state(pid) as Hopped);
  assert.equal(
    states.reduce((handled, state) => handled + state.handled, 0),
    6,
  );
  assert.equal((kit.state("hopper/h0") as Hopped).handled, 1, "a process casts to others only");
});

test("a timer's lateness is noted in its own process", async () => {
  const kit = createKit({ modules: [alarmClock], startAt: BEGIN });
  const pid = await kit.start("alarm-clock", { key: "a" });
  await kit.cast(pid, { 0: BEGIN + 100, 10: BEGIN + 1_100 });
  await kit.advance(1_000);
  assert.deepEqual(kit.state(pid), { set: 2, lateMs: { 0: 0 }, doubled: 0 });
});

test("rounds are combined figure by figure, and stand beside what they are held against", () => {
  const cast = (perSecond: number): CastMeasurement => ({ perSecond, cpuMsPerCast: 1, casts: 10, errors: { 503: 1 } });
  const http = combineCasts([cast(100), cast(300), cast(200)]);
  assert.deepEqual(http, { perSecond: 200, cpuMsPerCast: 1, casts: 30, errors: { 503: 3 } });
  const casts = compareCasts(http, cast(100), cast(300));
  assert.deepEqual([casts.ratio.inFlight64.perSecond, casts.ratio.inFlight1000.perSecond], [0.5, 1.5]);
  assert.match(formatCasts("W6", casts), /^W6 {2}64 in flight \/ HTTP +0\.50 +1\.00$/m);

  const timer = (medianMs: number, latestMs: number): TimerMeasurement => ({
    ...{ earliestMs: 0, medianMs, p99Ms: 20, latestMs, elapsedMs: 100, perSecond: 500, cpuMsPerTimer: 2, timers: 50 },
  });
  const spread = combineTimers([timer(1, 30), timer(3, 90), timer(2, 40)]);
  assert.deepEqual([spread.medianMs, spread.latestMs, spread.timers], [2, 90, 150]);
  const calls = { rps: 1_000, p50Ms: 1, p99Ms: 1, cpuMsPerCall: 1, calls: 10, errors: {} };
  const timers = compareTimers(spread, spread, spread, calls);
  assert.deepEqual(timers.ratio, { perSecond: 0.5, cpuMs: 2 });
  assert.match(formatTimers("W7", timers), /^W7 {2}over 10 s +2 +20 +90 +2\.000 +150$/m);
});
