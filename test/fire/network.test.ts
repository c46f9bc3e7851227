import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { loadScripts, type ScriptName } from "@genserverless/shared/redis/scripts.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** The network between nodes and Redis fails, under load, at each script. */

const TTL_MS = 2_000;
/** A silent socket is left after 3 s; the rest is for a machine that has much else to do. */
const STUCK_MS = 5 * TTL_MS;
const scripts = loadScripts(readPublishedLua());
const cluster = new TestCluster({ apis: 2, workers: 2, sessionTtlMs: TTL_MS, throughProxy: true });
let loads = 0;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

/** Runs counters while `fail` is at work, then for a moment without; nothing may be doubled, lost or stuck. */
async function underLoad(fail: () => Promise<void>, patienceMs = STUCK_MS): Promise<CounterLoad> {
  const prefix = `n${++loads}-`;
  const load = new CounterLoad({ urls: () => cluster.urls, clients: 16, processes: 40, prefix, timeoutMs: 30_000 });
  try {
    await load.start();
    await fail();
    await load.stop();
    assert.deepEqual(await load.findViolations(), []);
    assert.ok(load.slowestMs <= patienceMs, `an add took ${load.slowestMs} ms: ${JSON.stringify(load.answers)}`);
    return load;
  } finally {
    await load.close();
  }
}

const STRUCK: ScriptName[] = ["enqueue", "claim", "commit", "beat"];
const FAULTS = {
  "an answer is lost": "loseAnswer",
  "the connection is cut in the middle of a request": "cutMidRequest",
} as const;

for (const script of STRUCK) {
  for (const [what, kind] of Object.entries(FAULTS)) {
    test(`nothing is doubled or stuck when ${what} of ${script}`, { timeout: 240_000 }, async () => {
      const load = await underLoad(async () => {
        const fault = cluster.proxy[kind](scripts[script].sha, { times: 4 });
        await fault.met;
        await sleep(300);
      });
      // An api that needs more than a second to connect again refuses; what it refused was not done.
      const { ok = 0, redis_unavailable: _, ...others } = load.answers;
      assert.ok(ok > 0);
      assert.deepEqual(others, {}, "every caller got its answer");
    });
  }
}

for (const [what, kind] of Object.entries(FAULTS)) {
  test(`a dead worker's processes go on when ${what} of evict`, { timeout: 240_000 }, async () => {
    await underLoad(async () => {
      const victim = await cluster.addWorker();
      await victim.untilRecord(({ msg }) => msg === "session.registered", { withinMs: 60_000 });
      await sleep(300);
      const fault = cluster.proxy[kind](scripts.evict.sha, { times: 4 });
      await victim.kill();
      await fault.met;
      await sleep(2 * TTL_MS);
    });
  });
}

test("half-open connections are noticed and left", { timeout: 240_000 }, async () => {
  await underLoad(async () => {
    await sleep(300);
    cluster.proxy.halfOpen(true, /^worker@worker-1/);
    await sleep(3 * TTL_MS);
    cluster.proxy.halfOpen(false, /^worker@worker-1/);
    await sleep(TTL_MS);
  });
});

test("a delay of two seconds each way does no harm", { timeout: 240_000 }, async () => {
  await underLoad(async () => {
    cluster.proxy.delay(2_000);
    await sleep(3 * TTL_MS);
    cluster.proxy.heal();
    await sleep(TTL_MS);
  }, 30_000);
});

test("every connection cut, again and again, does no harm", { timeout: 240_000 }, async () => {
  await underLoad(async () => {
    for (let cut = 0; cut < 10; cut++) {
      cluster.proxy.cut();
      await sleep(200);
    }
  });
});
