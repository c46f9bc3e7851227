import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster, type TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** Supervisors on a cluster whose workers die. Their rules, case by case: sdk/src/supervisor/supervisor.test.ts. */

const cluster = new TestCluster({ apis: 1, workers: 2, sessionTtlMs: 1_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 15_000 };

before(() => cluster.start());
after(async () => {
  // A worker that is still booting does not leave in good order.
  await cluster.untilBack(SOON.withinMs);
  await cluster.stop();
  assertNoChildLeft();
});

async function openDiary(key: string): Promise<string> {
  await client.start("notebook", key);
  return `notebook/${key}`;
}

/** In the order in which it happened: each child goes on when its note has been taken. */
async function readDiary(pid: string): Promise<unknown[]> {
  const { notes } = (await client.read(pid)).body["state"] as { notes: { text: string }[] };
  return notes.map(({ text }) => text);
}

const untilDiary = (pid: string, ...notes: string[]) =>
  until(async () => assert.deepEqual(await readDiary(pid), notes) === undefined, SOON);

const child = (diary: string, id: string, more: object = {}) => ({
  id,
  start: { module: "supervised", args: { diary, ...more } },
});

async function supervise(key: string, args: object): Promise<string> {
  const { status, body } = await client.start("supervisor", key, { args });
  assert.equal(status, 201, JSON.stringify(body));
  return `supervisor/${key}`;
}

async function ask(pid: string, message: unknown): Promise<unknown> {
  const { status, body } = await client.call(pid, message, { timeoutMs: 20_000 });
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

async function statusOf(pid: string): Promise<unknown> {
  return (await client.read(pid)).body["status"];
}

async function ownerOf(pid: string): Promise<TestNode> {
  const { owner } = (await client.read(pid)).body;
  const worker = cluster.workers.find(({ name }) => String(owner).startsWith(`worker@${name}#`));
  assert.ok(worker, `${pid} is owned by ${owner}`);
  return worker;
}

test("starts children in order, restarts by strategy, and stops them in reverse order", async () => {
  const diary = await openDiary("strategy");
  const children = ["a", "b", "c"].map((id) => child(diary, id));
  const pid = await supervise("s", { strategy: "rest-for-one", children });
  await untilDiary(diary, "began s.a", "began s.b", "began s.c");
  await client.cast("supervised/s.b", { end: "boom" });
  const restart = ["ended s.b: boom", "ended s.c: shutdown", "began s.b", "began s.c"];
  await untilDiary(diary, "began s.a", "began s.b", "began s.c", ...restart);
  assert.deepEqual((await client.stop(pid)).body, { reason: "normal" });
  const stops = ["ended s.c: shutdown", "ended s.b: shutdown", "ended s.a: shutdown"];
  await untilDiary(diary, "began s.a", "began s.b", "began s.c", ...restart, ...stops);
});

test("takes dynamic children, and refuses a bad spec before it is enqueued", async () => {
  const diary = await openDiary("dynamic");
  const pid = await supervise("dynamic", {});
  assert.deepEqual(await ask(pid, { start_child: child(diary, "x") }), { ok: "supervised/dynamic.x" });
  assert.deepEqual(await ask(pid, { restart_child: "x" }), { error: "running" });
  assert.equal(await ask(pid, { terminate_child: "x" }), "ok");
  assert.deepEqual(await ask(pid, { restart_child: "x" }), { ok: "supervised/dynamic.x" });
  assert.deepEqual(await ask(pid, "count_children"), { specs: 1, active: 1, supervisors: 0, workers: 1 });
  await untilDiary(diary, "began dynamic.x", "ended dynamic.x: shutdown", "began dynamic.x");
  const { status, body } = await client.call(pid, { start_child: { id: "y", start: { module: "" } } });
  assert.deepEqual([status, body["code"]], [422, "invalid_message"]);
  assert.match(String(body["detail"]), /start_child: start\.module must be /);
});

test("a child that keeps its state after a crash comes back with it; one that does not begins anew", async () => {
  const pid = await supervise("keeper", { children: [{ id: "a", start: { module: "accumulator", args: 1 } }] });
  await client.cast("accumulator/keeper.a", 2);
  await client.stop("accumulator/keeper.a", { reason: "boom" });
  const total = async () => (await client.call("accumulator/keeper.a", "total")).body["reply"];
  assert.equal(await until(total, SOON), 3);
  await client.stop("accumulator/keeper.a", { reason: "normal" });
  assert.equal(await until(total, SOON), 1);
  await client.stop(pid);
});

test("a brutal kill runs no terminate; its monitors are told killed", async () => {
  const diary = await openDiary("brutal");
  const pid = await supervise("brutal", { children: [{ ...child(diary, "a"), shutdown: "brutal-kill" }] });
  assert.equal(await ask(pid, { terminate_child: "a" }), "ok");
  assert.equal((await client.read("supervised/brutal.a")).status, 404);
  assert.deepEqual(await readDiary(diary), ["began brutal.a"]);
});

test("a supervisor whose worker is killed in the middle of a restart finishes it once", async () => {
  const diary = await openDiary("middle");
  const children = [child(diary, "a"), child(diary, "slow", { initMs: 800 }), child(diary, "b")];
  const pid = await supervise("middle", { strategy: "one-for-all", children });
  const began = ["began middle.a", "began middle.slow", "began middle.b"];
  await untilDiary(diary, ...began);
  await client.cast("supervised/middle.a", { end: "boom" });
  await until(async () => (await statusOf("supervised/middle.slow")) === "starting", SOON);
  const worker = await ownerOf(pid);
  await worker.kill();
  await worker.start();
  const stops = ["ended middle.a: boom", "ended middle.b: shutdown", "ended middle.slow: shutdown"];
  await untilDiary(diary, ...began, ...stops, ...began);
  const { restarts, steps } = (await client.read(pid)).body["state"] as { restarts: number[]; steps: unknown[] };
  assert.deepEqual([restarts.length, steps], [1, []]);
  await client.cast("supervised/middle.b", { end: "again" });
  const more = ["ended middle.b: again", "ended middle.slow: shutdown", "ended middle.a: shutdown"];
  await untilDiary(diary, ...began, ...stops, ...began, ...more, ...began);
});

test("a start whose worker is killed is finished once", async () => {
  const diary = await openDiary("begin");
  const children = [child(diary, "a"), child(diary, "slow", { initMs: 800 }), child(diary, "b")];
  const started = client.start("supervisor", "begin", { args: { children } });
  await until(async () => (await statusOf("supervised/begin.slow")) === "starting", SOON);
  const worker = await ownerOf("supervisor/begin");
  await worker.kill();
  await worker.start();
  assert.equal((await started).status, 201);
  await untilDiary(diary, "began begin.a", "began begin.slow", "began begin.b");
});

test("a tree survives the death of every worker", async () => {
  const diary = await openDiary("tree");
  const leaves = { strategy: "one-for-all", maxRestarts: 1, children: [child(diary, "x"), child(diary, "y")] };
  const inner = { id: "in", type: "supervisor", start: { module: "supervisor", args: leaves } };
  await supervise("tree", { children: [inner, child(diary, "z")] });
  const began = ["began tree.in.x", "began tree.in.y"];
  await untilDiary(diary, ...began, "began tree.z");
  await Promise.all(cluster.workers.map((worker) => worker.kill()));
  for (const worker of cluster.workers) await worker.start();
  await cluster.untilReady();
  await client.cast("supervised/tree.in.x", { end: "boom" });
  const restart = ["ended tree.in.x: boom", "ended tree.in.y: shutdown", ...began];
  await untilDiary(diary, ...began, "began tree.z", ...restart);
  // The inner one gives up, and the outer one restarts it.
  await client.cast("supervised/tree.in.y", { end: "boom" });
  const givenUp = ["ended tree.in.y: boom", "ended tree.in.x: shutdown", ...began];
  await untilDiary(diary, ...began, "began tree.z", ...restart, ...givenUp);
  await client.stop("supervisor/tree");
  const stops = ["z", "in.y", "in.x"].map((key) => `ended tree.${key}: shutdown`);
  await untilDiary(diary, ...began, "began tree.z", ...restart, ...givenUp, ...stops);
  assert.equal((await client.read("supervisor/tree.in")).status, 404);
});
