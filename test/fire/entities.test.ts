import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { untilSound } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { WorkerKiller } from "../tools/worker-killer.ts";

/** Journals under fire: each event of an acknowledged command once, in order, and none of one that failed. */

const SECONDS = Number(process.env["FIRE_SECONDS"] ?? 3);
const TTL_MS = 2_000;
const PROCESSES = 100;
const scripts = loadScripts(readPublishedLua());

after(assertNoChildLeft);

test("entities stay linearizable, and their journals whole, while a worker is killed every second", {
  timeout: (SECONDS + 240) * 1_000,
}, async (t) => {
  const cluster = new TestCluster({ apis: 2, workers: 3, sessionTtlMs: TTL_MS, modulesDir: "test/modules" });
  const killer = new WorkerKiller(cluster.workers);
  const urls = () => cluster.urls;
  const load = new CounterLoad({
    urls,
    clients: 32,
    module: "tally",
    processes: PROCESSES,
    prefix: "k",
    timeoutMs: 30_000,
  });
  try {
    await cluster.start();
    await load.start();
    killer.start();
    await sleep(SECONDS * 1_000);
    await until(() => killer.kills >= 2, { withinMs: 120_000, what: "2 kills" });
    await killer.stop();
    await load.stop();
    t.diagnostic(`${killer.kills} kills, ${load.acknowledged} adds`);
    assert.deepEqual(await load.findViolations(), []);
    assert.deepEqual(Object.keys(load.answers), ["ok"]);
    const redis = cluster.redis.connect();
    await untilSound(redis, cluster.keyPrefix, 64);
    const keys = new Keys(cluster.keyPrefix, 64);
    let events = 0;
    for (let index = 0; index < PROCESSES; index++) {
      const pid = `tally/k${index}` as Pid;
      events += Number((await redis.hget(keys.process(keys.partitionOf(pid), pid), "J")) ?? 0);
    }
    assert.equal(events, load.acknowledged, "each add is one event");
  } finally {
    await killer.stop();
    await load.close();
    await cluster.stop();
  }
});

test("events whose commit got no answer are in the journal once, and the command is answered", {
  timeout: 120_000,
}, async () => {
  const cluster = new TestCluster({ sessionTtlMs: TTL_MS, modulesDir: "test/modules", throughProxy: true });
  try {
    await cluster.start();
    const { client } = cluster;
    assert.equal((await client.call("tally/lost", { add: 3 })).body["reply"], 3);
    const fault = cluster.proxy.loseAnswer(scripts.commit.sha, { client: "worker@worker-1" });
    const answer = await client.call("tally/lost", { add: 2 }, { timeoutMs: 30_000 });
    assert.equal(fault.hits, 1);
    assert.equal(answer.body["reply"], 5);
    assert.equal((await client.call("tally/lost", "total", { timeoutMs: 30_000 })).body["reply"], 5);
    const redis = cluster.redis.connect();
    await untilSound(redis, cluster.keyPrefix, 64);
  } finally {
    await cluster.stop();
  }
});
