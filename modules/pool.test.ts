import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import pool from "./pool.ts";
import poolWorker from "./pool-worker.ts";

async function start(size?: number) {
  const kit = createKit({ modules: [pool, poolWorker] });
  const pid = await kit.start("pool", { key: "p", args: size === undefined ? null : { size } });
  const work = (primesBelow: number) => kit.call(pid, { work: { primesBelow } });
  const done = async (index: number) => await kit.call(`pool-worker/p.${index}`, "done");
  return { kit, pid, work, done };
}

test("hands work round, and each caller is answered by the worker", async () => {
  const { work, done } = await start(3);
  const tasks: [primesBelow: number, primes: number][] = [
    [0, 0],
    [3, 1],
    [10, 4],
    [100, 25],
  ];
  for (const [primesBelow, primes] of tasks) assert.equal(await work(primesBelow), primes);
  assert.deepEqual([await done(0), await done(1), await done(2)], [2, 1, 1]);
});

test("has a worker again for one that was killed", async () => {
  const { kit, work } = await start(2);
  for (let times = 0; times < 3; times++) {
    await kit.kill("pool-worker/p.0");
    assert.deepEqual([await work(10), await work(10)], [4, 4]);
  }
});

test("stops when its supervisor gives up, and its workers with it when it stops", async () => {
  const { kit, pid } = await start();
  for (let times = 0; times < 4; times++) await kit.kill("pool-worker/p.0");
  assert.deepEqual([kit.status(pid), kit.status("pool-worker/p.3")], [undefined, undefined]);
  const other = await start(1);
  await other.kit.stop(other.pid);
  assert.deepEqual(
    [other.kit.status("supervisor/pool.p"), other.kit.status("pool-worker/p.0")],
    [undefined, undefined],
  );
});

test("refuses work that is none", async () => {
  const { work } = await start(1);
  for (const primesBelow of [-1, 0.5, 1e9]) await assert.rejects(work(primesBelow), { code: "invalid_message" });
});
