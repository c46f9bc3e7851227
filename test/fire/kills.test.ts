import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { WorkerKiller } from "../tools/worker-killer.ts";

/** How long the load lasts; `npm run soak` asks for more. */
const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 5);
const LEAST_KILLS = 2;
const TTL_MS = 2_000;
/** A death is found within 4/3 of a TTL; the rest is for a machine that has much else to do. */
const STUCK_MS = 5 * TTL_MS;

after(assertNoChildLeft);

test("counters stay linearizable and unstuck while a worker is killed every second", {
  timeout: (SECONDS + 240) * 1_000,
}, async (t) => {
  const cluster = new TestCluster({ apis: 2, workers: 3, sessionTtlMs: TTL_MS });
  const killer = new WorkerKiller(cluster.workers);
  const load = new CounterLoad({
    urls: () => cluster.urls,
    clients: 64,
    processes: 200,
    prefix: "k",
    timeoutMs: 30_000,
  });
  try {
    await cluster.start();
    await load.start();
    killer.start();
    await sleep(SECONDS * 1_000);
    await until(() => killer.kills >= LEAST_KILLS, { withinMs: 120_000, what: `${LEAST_KILLS} kills` });
    await killer.stop();
    await load.stop();
    t.diagnostic(`${killer.kills} kills, ${load.acknowledged} adds, the slowest took ${Math.round(load.slowestMs)} ms`);
    assert.deepEqual(await load.findViolations(), []);
    assert.ok(load.acknowledged > SECONDS * 20, `only ${load.acknowledged} adds were acknowledged`);
    assert.ok(load.slowestMs <= STUCK_MS, `an add took ${load.slowestMs} ms; answers ${JSON.stringify(load.answers)}`);
    assert.deepEqual(Object.keys(load.answers), ["ok"]);
  } finally {
    await killer.stop();
    await load.close();
    await cluster.stop();
  }
});
