import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import type { ActorState, Step } from "../contract/actor.ts";
import { untilSound } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** Processes that come and go by themselves, many at once. */

const TTL_MS = 3_000;
const IDLE_MS = 1_500;
const SOON = { withinMs: 60_000 };
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const cluster = new TestCluster({
  apis: 2,
  workers: 2,
  sessionTtlMs: TTL_MS,
  modulesDir: "test/contract/modules:modules",
  env: { DRAIN_MS: "50" },
});
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

async function notesOf(pid: string): Promise<unknown[]> {
  return ((await client.read(pid)).body["state"] as ActorState | undefined)?.notes ?? [];
}

/** Notes the number; the reply is everything noted by then. */
const note = (number: number): { run: Step[] } => ({ run: [{ do: "note", note: number }, { do: "notes" }] });

test("PG 2.3 bug 3: of 20 first calls at the same time, at two apis, each reaches the one process that they start", async () => {
  const answers = await Promise.all(numbers(20).map((number) => client.call("on-demand/first", note(number))));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const lengths = answers.map(({ body }) => (body["reply"] as unknown[]).length);
  assert.deepEqual(
    lengths.sort((one, other) => one - other),
    numbers(20).map((number) => number + 1),
  );
});

test("20 processes that send a first message to one each reach the same, while a worker is killed", {
  timeout: 240_000,
}, async () => {
  const senders = numbers(20).map((number) => `sender-${number}`);
  await Promise.all(senders.map((key) => client.start("actor", key)));
  const send = (key: string, number: number) =>
    client.cast(`actor/${key}`, { run: [{ do: "cast", pid: "on-demand/second", message: number }] });
  const [victim] = cluster.workers;
  const sent = Promise.all(senders.map(send));
  await victim?.kill();
  for (const { status } of await sent) assert.equal(status, 202);
  await until(async () => (await notesOf("on-demand/second")).length >= 20, SOON);
  await victim?.start();
  const got = (await notesOf("on-demand/second")) as [string, number][];
  assert.deepEqual(
    got.map(([, number]) => number).sort((one, other) => one - other),
    numbers(20),
  );
});

test("PG 2.3 bug 2: 1,000 processes that fall asleep at once disturb nobody, and each wakes with its state", {
  timeout: 240_000,
}, async (t) => {
  const keys = numbers(1_000).map((number) => `sleeper-${number}`);
  const options = { idleAfterMs: IDLE_MS };
  for (const some of inBatches(keys)) {
    const started = await Promise.all(some.map((key) => client.start("accumulator", key, { args: 1, options })));
    assert.ok(started.every(({ status }) => status === 201));
  }
  await client.start("accumulator", "awake", { args: 0 });
  const { slowestMs, calls, late } = await callUntilAsleep(keys);
  t.diagnostic(`${calls} calls meanwhile, the slowest took ${Math.round(slowestMs)} ms`);
  assert.ok(slowestMs < TTL_MS, `a call took ${slowestMs} ms`);
  for (const some of inBatches(keys)) {
    const replies = await Promise.all(some.map((key) => client.call(`accumulator/${key}`, "total")));
    assert.deepEqual(
      replies.map(({ body }) => body["reply"]),
      some.map((key) => (late.has(key) ? 2 : 1)),
    );
  }
  const redis = cluster.redis.connect();
  await untilSound(redis, cluster.keyPrefix, 64);
});

test("a wake-up that comes after its process has fallen asleep does not keep it awake", async () => {
  const pid = "mapper/woken";
  const redis = cluster.redis.connect();
  const keys = new Keys(cluster.keyPrefix, 64);
  const partition = keys.partitionOf(pid as Pid);
  const readEpoch = async () => Number(await redis.get(`${keys.base(partition)}epoch`));
  const isAsleep = async () => (await client.read(pid)).body["owner"] === null;
  await client.start("mapper", "woken");
  await client.cast(pid, ["a", 1]);
  await until(isAsleep, SOON);
  const before = await readEpoch();
  const [session] = await redis.hkeys(keys.live(partition));
  assert.ok(session);
  await redis.publish(keys.wakeChannel(session), pid);
  await until(async () => (await readEpoch()) > before, { ...SOON, what: "the worker claims it" });
  await until(isAsleep, { withinMs: 30_000 });
});

/** Calls one that stays awake, and now and then one that is about to fall asleep, until all of the others are asleep. */
async function callUntilAsleep(keys: readonly string[]) {
  const asleep = new Set<string>();
  const late = new Set<string>();
  let slowestMs = 0;
  let calls = 0;
  let isOver = false;
  const callers = numbers(2).map(async (caller) => {
    while (!isOver) {
      const key = keys[(calls * 7) % keys.length];
      const isLate = caller === 1 && key !== undefined && !late.has(key) && calls % 10 === 0;
      if (isLate) late.add(key);
      const startedAt = performance.now();
      const { status } = await client.call(`accumulator/${isLate ? key : "awake"}`, { add: 1 });
      assert.equal(status, 200);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      calls += 1;
      await sleep(5);
    }
  });
  const areAsleep = async () => {
    for (const some of inBatches(keys.filter((key) => !asleep.has(key)))) {
      const views = await Promise.all(some.map((key) => client.read(`accumulator/${key}`, { withState: false })));
      for (const [index, { body }] of views.entries()) if (body["owner"] === null) asleep.add(some[index] ?? "");
    }
    return asleep.size === keys.length;
  };
  try {
    await until(areAsleep, { ...SOON, everyMs: 250, what: "all are asleep" });
  } finally {
    isOver = true;
    await Promise.all(callers);
  }
  return { slowestMs, calls, late };
}

function inBatches(keys: readonly string[]): string[][] {
  return numbers(Math.ceil(keys.length / 100)).map((batch) => keys.slice(batch * 100, batch * 100 + 100));
}
