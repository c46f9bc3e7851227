import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNoChildLeft } from "../../test/tools/child.ts";
import { checkCounters, WrongCounters } from "./counter-check.ts";
import { Floor } from "./floor/floor.ts";
import { combineRounds, type Measurement } from "./measurement.ts";
import { countClients, readKeyspaceBytes } from "./redis-memory.ts";
import { measureBytes, measureCalls, measureFirstTouch } from "./workloads.ts";

after(assertNoChildLeft);

test("each workload measures a running system, and a counter that is wrong is named", async () => {
  const floor = new Floor();
  await floor.stop();
  await floor.start();
  try {
    const calls = await measureCalls(floor, "W3", { round: 1, seconds: 1.3, warmUpSeconds: 0.2 });
    assert.deepEqual(calls.errors, {});
    assert.ok(calls.rps > 0 && calls.p50Ms > 0 && calls.p99Ms >= calls.p50Ms && calls.cpuMsPerCall > 0);

    const touches = await measureFirstTouch(floor, 1, 500);
    assert.equal(touches.calls, 500);

    const bytes = await measureBytes(floor, 2_000);
    assert.ok(bytes > 40 && bytes < 200, `${bytes} bytes`);
    assert.ok((await readKeyspaceBytes(floor.redis)) > 0);
    assert.deepEqual(await countClients(floor.redis), { floor: 1 });

    await floor.redis.set("doubled", 2);
    const load = { acknowledged: Uint32Array.of(1), unacknowledged: Uint32Array.of(0) };
    await assert.rejects(checkCounters(floor, ["doubled"], [load]), (error) => {
      assert.ok(error instanceof WrongCounters);
      assert.match(error.message, /floor: 1 of 1 counters are wrong: doubled is 2, acknowledged are 1/);
      return true;
    });
    await checkCounters(floor, ["doubled"], [{ ...load, unacknowledged: Uint32Array.of(1) }]);
  } finally {
    await floor.stop();
    await floor.stop();
  }
});

test("rounds are combined figure by figure: medians, and sums of calls and errors", () => {
  const round = (rps: number, p50Ms: number, errors: Measurement["errors"]): Measurement => ({
    ...{ rps, p50Ms, p99Ms: 1, cpuMsPerCall: 1, calls: 10 },
    errors,
  });
  const rounds = [round(100, 3, { 503: 1 }), round(300, 1, {}), round(200, 2, { 503: 2, closed: 1 })];
  const { rps, p50Ms, calls, errors } = combineRounds(rounds);
  assert.deepEqual({ rps, p50Ms, calls, errors }, { rps: 200, p50Ms: 2, calls: 30, errors: { 503: 3, closed: 1 } });
  assert.equal(combineRounds(rounds.slice(0, 2)).rps, 200);
});
