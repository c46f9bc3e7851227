import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** How long the load lasts; `npm run soak` asks for more. */
const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 12);
const TTL_MS = 2_000;

after(assertNoChildLeft);

test("counters stay linearizable and unstuck while a worker is killed every second", {
  timeout: (SECONDS + 60) * 1_000,
}, async () => {
  const cluster = new TestCluster({ apis: 2, workers: 3, sessionTtlMs: TTL_MS });
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
    const endsAt = performance.now() + SECONDS * 1_000;
    for (let kill = 0; performance.now() < endsAt; kill++) {
      await sleep(1_000);
      const victim = cluster.workers[kill % cluster.workers.length];
      await victim?.kill();
      await victim?.start();
    }
    await load.stop();
    assert.deepEqual(await load.findViolations(), []);
    assert.ok(load.acknowledged > SECONDS * 50, `only ${load.acknowledged} adds were acknowledged`);
    assert.ok(
      load.slowestMs <= 3 * TTL_MS,
      `an add took ${load.slowestMs} ms; answers ${JSON.stringify(load.answers)}`,
    );
    assert.deepEqual(Object.keys(load.answers), ["ok"]);
  } finally {
    await load.close();
    await cluster.stop();
  }
});
