import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster, type TestClusterOptions } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** The work queue while workers and Redis die (MS 4.8, MS 4.9.7). */

const TTL_MS = 2_000;
const SOON = { withinMs: 20_000 };
const WORK = "/api/v1/work";
let cluster: TestCluster;

async function startCluster(env: Record<string, string>, more: TestClusterOptions = {}): Promise<void> {
  const modulesDir = "modules:test/work-modules";
  cluster = new TestCluster({ apis: 1, workers: 2, sessionTtlMs: TTL_MS, modulesDir, env, ...more });
  await cluster.start();
}

afterEach(() => cluster.stop());
after(assertNoChildLeft);

const post = (data: string) => cluster.client.request("POST", WORK, { data });
const statusOf = async (callback: unknown) => (await cluster.client.get(`${WORK}/${callback}`)).body["status"];
const untilStatus = (callback: unknown, status: string) =>
  until(async () => (await statusOf(callback)) === status, { ...SOON, what: `${callback} is ${status}` });

async function workerOf(pid: string) {
  const { owner } = (await cluster.client.read(pid)).body as { owner: string };
  const worker = cluster.workers.find(({ name }) => owner?.startsWith(`worker@${name}#`));
  assert.ok(worker, `${pid} has an owner`);
  return worker;
}

test("a pause goes on when its worker is killed, and a POST meanwhile resets nothing", {
  timeout: 90_000,
}, async () => {
  const pauseMs = 5_000;
  await startCluster({ WORK_PAUSE_MS: String(pauseMs) });
  const { callback } = (await post("kill me")).body;
  await untilStatus(callback, "working");
  const timers = async () => (await cluster.client.get(`/v1/processes/work/${callback}/mailbox`)).body["delayed"];
  const before = await timers();
  const killedAt = performance.now();
  await (await workerOf(`work/${callback}`)).kill();
  const { status, body } = await post("kill me");
  assert.deepEqual([status, body["callback"], await statusOf(callback)], [200, callback, "working"]);
  assert.deepEqual(await timers(), before);
  await untilStatus(callback, "worked");
  const tookMs = performance.now() - killedAt;
  // After the death is noticed, and not a whole pause after that.
  assert.ok(tookMs < pauseMs + TTL_MS, `it took ${tookMs} ms after the kill`);
});

test("a module's work is taken over when its worker is killed, and is done once; what it fails with is told", {
  timeout: 90_000,
}, async () => {
  await startCluster({ WORK_MODULE: "crier" });
  const data = Array.from({ length: 20 }, (_, index) => `cry ${index}`);
  const callbacks = (await Promise.all(data.map(post))).map(({ body }) => body["callback"]);
  await Promise.all(callbacks.map((callback) => until(async () => (await statusOf(callback)) !== "pending", SOON)));
  const victim = await workerOf(`work/${callbacks[0]}`);
  await victim.kill();
  for (const { status } of await Promise.all(data.map(post))) assert.equal(status, 200);
  await victim.start();
  for (const [index, callback] of callbacks.entries()) {
    await untilStatus(callback, "worked");
    const { state } = (await cluster.client.read(`work/${callback}`)).body as { state: { result: string } };
    assert.equal(state.result, `CRY ${index}`);
    const tally = async () => (await cluster.client.read(`tally/${callback}`)).body["state"];
    await until(async () => (await tally()) === 1, SOON);
  }
  const { callback } = (await post("unspeakable")).body;
  await untilStatus(callback, "worked");
  const { state } = (await cluster.client.read(`work/${callback}`)).body as { state: { error: string } };
  assert.match(state.error, /^callback_failed: .*cannot cry this/);
  await until(async () => (await cluster.client.read(`crier/${callback}`)).status === 404, SOON);
});

test("MS 4.9.7: Redis is stopped and started: a POST meanwhile is 503, nobody dies, and the work is done", {
  timeout: 90_000,
}, async () => {
  await startCluster({ WORK_PAUSE_MS: "3000" }, { redis: { appendfsync: "always" } });
  const { callback } = (await post("before")).body;
  await untilStatus(callback, "working");
  await cluster.redis.kill();
  await cluster.apis[0]?.untilRecord(({ msg }) => msg === "redis.unreachable", SOON);
  for (const answer of [await post("meanwhile"), await cluster.client.get(`${WORK}/${callback}`)]) {
    assert.deepEqual([answer.status, answer.body["code"]], [503, "redis_unavailable"]);
    assert.equal(answer.headers["retry-after"], "1");
  }
  assert.equal((await cluster.client.request("POST", WORK, "{}")).status, 400, "what is malformed is still told so");
  await cluster.redis.restart();
  await untilStatus(callback, "worked");
  const later = await until(async () => {
    const answer = await post("meanwhile");
    return answer.status === 200 && answer;
  }, SOON);
  await untilStatus(later.body["callback"], "worked");
  assert.ok([...cluster.apis, ...cluster.workers].every(({ isAlive }) => isAlive));
});
