import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem } from "../http/problem.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TEST_MODULES, TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** PersistentGenServer's score, told over HTTP: what ends a state, and what does not. */

const cluster = new TestCluster({
  apis: 1,
  workers: 1,
  sessionTtlMs: 6_000,
  modulesDir: `${TEST_MODULES}:test/contract/modules`,
  redis: { appendfsync: "always" },
  env: { DRAIN_MS: "50" },
});
const { client } = cluster;
const SOON = { withinMs: 10_000 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const start = (key: string, options?: { idleAfterMs: number }) =>
  client.start("example", key, { args: key, ...(options && { options }) });
const increment = (key: string) => client.cast(`example/${key}`, "increment_score");

function virtualScore(key: string) {
  const pid = `virtual-score/${key}`;
  const increment = async (times: number) => {
    for (let time = 0; time < times; time++) assert.equal((await client.cast(pid, "increment_score")).status, 202);
  };
  return { pid, increment, read: async () => (await client.call(pid, "read_score")).body["reply"] };
}

async function stateOf(pid: string): Promise<{ notes?: unknown[]; deferred?: unknown[] }> {
  return ((await client.read(pid)).body["state"] ?? {}) as object;
}

async function readScore(key: string): Promise<unknown> {
  const { status, body } = await client.call(`example/${key}`, "read_score", { timeoutMs: 20_000 });
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

async function startWithScoreFour(key: string): Promise<void> {
  await start(key);
  assert.equal(await readScore(key), 0);
  await increment(key);
  assert.equal(await readScore(key), 1);
  for (let times = 0; times < 3; times++) await increment(key);
  assert.equal(await readScore(key), 4);
}

test("PG 2.4: a score that keeps nothing counts 0, 1, 4, and after a normal stop there is nobody to ask", async () => {
  await startWithScoreFour("brief");
  assert.equal((await client.stop("example/brief", { reason: "normal" })).status, 200);
  assertProblem(await client.call("example/brief", "read_score"), "404 no_process");
});

test("PG-2, PG-7, PG 2.4: a score that is asked for is there: 0, 1, 4, and 0 again after a normal stop", async () => {
  const score = virtualScore("reborn");
  assert.equal(await score.read(), 0);
  await score.increment(1);
  assert.equal(await score.read(), 1);
  await score.increment(3);
  assert.equal(await score.read(), 4);
  assert.equal((await client.stop(score.pid, { reason: "normal" })).status, 200);
  assertProblem(await client.read(score.pid), "404 no_process");
  assert.equal(await score.read(), 0);
});

test("PG-7, PG 2.4: after a stop for another reason any message revives it with its score", async () => {
  const score = virtualScore("revived");
  await score.increment(4);
  for (const [index, revive] of [
    score.read,
    () => score.increment(1),
    () => client.info(score.pid, "increment_score"),
  ].entries()) {
    assert.deepEqual((await client.stop(score.pid, { reason: "asdf" })).body, { reason: "asdf" });
    assert.equal((await client.read(score.pid)).body["status"], "stopped");
    await revive();
    assert.equal(await score.read(), 4 + index);
  }
  await client.stop(score.pid, { reason: "normal" });
  assert.equal(await score.read(), 0);
});

test("PG 2.4: a stop for another reason than normal keeps the score for the next start", async () => {
  await startWithScoreFour("kept");
  assert.deepEqual((await client.stop("example/kept", { reason: "asdf" })).body, { reason: "asdf" });
  assertProblem(await client.call("example/kept", "read_score"), "404 no_process");
  assert.equal((await start("kept")).status, 201);
  assert.equal(await readScore("kept"), 4);
});

test("PG-8, PG 2.3.7, PG 2.4: a normal stop wipes the score, also one that an earlier life had kept", async () => {
  assert.equal((await client.stop("example/kept", { reason: "normal" })).status, 200);
  assertProblem(await client.read("example/kept"), "404 no_process");
  await start("kept");
  assert.equal(await readScore("kept"), 0);
});

test("PG-6, PG-7, PG 2.3.1, PG 2.4: an idle process falls asleep with its state, and a call wakes it", async () => {
  await start("sleeper", { idleAfterMs: 150 });
  await increment("sleeper");
  assert.equal(await readScore("sleeper"), 1);
  const read = async () => (await client.read("example/sleeper")).body;
  for (let score = 1; score <= 5; score++) {
    const asleep = await until(async () => {
      const view = await read();
      return view["owner"] === null && view;
    }, SOON);
    assert.deepEqual([asleep["status"], asleep["state"]], ["idle", { name: "sleeper", score }]);
    await increment("sleeper");
    assert.equal(await readScore("sleeper"), score + 1);
    // It may be asleep again; each time that it wakes it has another epoch.
    assert.ok(Number((await read())["epoch"]) > Number(asleep["epoch"]));
  }
});

test("PG 2.3.6: a process whose idle time is infinite stays awake, while another falls asleep", async () => {
  const forever = virtualScore("forever");
  await forever.increment(1);
  const child = { id: "ever", start: { module: "example", idleAfterMs: "infinity" } };
  assert.equal((await client.start("supervisor", "for", { args: { children: [child] } })).status, 201);
  await start("mortal", { idleAfterMs: 300 });
  const owner = async (pid: string) => (await client.read(pid)).body["owner"];
  await until(async () => (await owner("example/mortal")) === null, SOON);
  assert.notEqual(await owner(forever.pid), null);
  assert.notEqual(await owner("example/for.ever"), null);
});

test("PG-6, PG 2.3.2: ten sleepers at once harm nobody else", async () => {
  await start("awake");
  await increment("awake");
  const keys = Array.from({ length: 10 }, (_, index) => `nap-${index}`);
  await Promise.all(keys.map((key) => start(key, { idleAfterMs: 100 })));
  const owners = () => Promise.all(keys.map(async (key) => (await client.read(`example/${key}`)).body["owner"]));
  await until(async () => (await owners()).every((owner) => owner === null), SOON);
  assert.deepEqual(await Promise.all(["awake", ...keys].map(readScore)), [1, ...keys.map(() => 0)]);
});

test("PG 2.3.3: of twenty simultaneous first starts one makes the process, and all of them mean that one", async () => {
  const starts = Array.from({ length: 20 }, () =>
    client.start("example", "first", { args: "first", ifExists: "return" }),
  );
  const statuses = (await Promise.all(starts)).map(({ status }) => status).sort();
  assert.deepEqual(statuses, [...Array.from({ length: 19 }, () => 200), 201]);
  await Promise.all(Array.from({ length: 20 }, () => increment("first")));
  assert.equal(await readScore("first"), 20);
});

test("PG 2.3.3, PG 2.4: twenty simultaneous first calls and casts to one score make one process", async () => {
  const score = virtualScore("race");
  await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? score.increment(1) : score.read())));
  assert.equal(await score.read(), 10);
  assert.equal((await client.read(score.pid)).body["turns"], 22, "init, twenty firsts and one more");
});

test("GS 1.6, PG 2.3.5: noreply from handleCall keeps the state, and the reply comes later, from another worker too", async () => {
  await client.start("actor", "patient");
  const question = { run: [{ do: "note", note: "asked" }, { do: "defer" }] };
  const asked = client.call("actor/patient", question, { timeoutMs: 60_000 });
  await until(async () => (await stateOf("actor/patient")).deferred?.length === 1, SOON);
  for (const worker of cluster.workers) await worker.kill().then(() => worker.start());
  await client.cast("actor/patient", { run: [{ do: "answer", value: "late" }] });
  assert.equal((await asked).body["reply"], "late");
  assert.deepEqual((await stateOf("actor/patient")).notes, ["asked"]);
});

test("PG 2.3.8: init may continue, wait for a time, or fall asleep at once", async () => {
  const begin = (key: string, next: unknown) => client.start("actor", key, { args: { next } });
  await Promise.all([
    begin("goes-on", { continue: "first" }),
    begin("waits", { timeout: 20 }),
    begin("sleeps", "hibernate"),
  ]);
  await until(async () => (await stateOf("actor/goes-on")).notes?.length === 1, SOON);
  assert.deepEqual((await stateOf("actor/goes-on")).notes, [["continue", "first"]]);
  await until(async () => (await stateOf("actor/waits")).notes?.length === 1, SOON);
  assert.deepEqual((await stateOf("actor/waits")).notes, [["info", "timeout"]]);
  await until(async () => (await client.read("actor/sleeps")).body["owner"] === null, SOON);
});

test("PG 2.4: an error in a callback leaves the state before it", async () => {
  await client.start("troublemaker", "score");
  await client.call("troublemaker/score", { do: "add" });
  assertProblem(await client.call("troublemaker/score", { do: "mutate-and-throw" }), "500 callback_failed");
  assert.equal((await client.call("troublemaker/score", { do: "add" })).body["reply"], 2);
});

test("PG 2.4: the score survives SIGKILL of the api, of the worker, of redis, and of all of them", async () => {
  const { apis, workers, redis } = cluster;
  const killAndRestartNodes = async (nodes: typeof apis) => {
    await Promise.all(nodes.map((node) => node.kill()));
    for (const node of nodes) await node.start();
  };
  await startWithScoreFour("durable");
  const disasters: (() => Promise<void>)[] = [
    () => killAndRestartNodes(apis),
    () => killAndRestartNodes(workers),
    async () => {
      await redis.kill();
      await redis.restart();
    },
    async () => {
      await Promise.all([...apis, ...workers, redis].map((part) => part.kill()));
      await redis.restart();
      for (const node of [...apis, ...workers]) await node.start();
    },
  ];
  for (const [index, strike] of disasters.entries()) {
    await strike();
    await cluster.untilBack();
    await cluster.untilReady();
    assert.equal(await readScore("durable"), 4 + index);
    await increment("durable");
  }
  assert.equal(await readScore("durable"), 8);
});
