import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

const cluster = new TestCluster({ apis: 2, workers: 1, sessionTtlMs: 2_000 });
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test("an api is killed with calls in flight: each caller asks another with its key and gets the one reply", async () => {
  const [dying, other] = cluster.apis;
  assert.ok(dying?.url && other?.url);
  const keys = Array.from({ length: 20 }, (_, index) => `retry-${index}`);
  await Promise.all(keys.map((key) => client.start("troublemaker", key)));
  const call = (key: string, url: string) =>
    client.call(`troublemaker/${key}`, { do: "sleep", ms: 1_000 }, { idempotencyKey: "once", url, timeoutMs: 60_000 });
  const [worker] = cluster.workers;
  await worker?.pause();
  const first = keys.map((key) => call(key, dying.url ?? "").catch(() => "broken"));
  const isAccepted = async (key: string) =>
    (await client.read(`troublemaker/${key}`, { url: other.url ?? "" })).body["status"] === "running";
  await until(async () => (await Promise.all(keys.map(isAccepted))).every(Boolean), { withinMs: 60_000 });
  await dying.kill();
  worker?.resume();
  assert.deepEqual(new Set(await Promise.all(first)), new Set(["broken"]), "every call was in flight");
  const answers = await Promise.all(keys.map((key) => call(key, other.url ?? "")));
  assert.deepEqual(new Set(answers.map(({ body }) => body["reply"])), new Set([1]));
  const again = await Promise.all(keys.map((key) => call(key, other.url ?? "")));
  assert.deepEqual(
    again.map(({ body }) => body),
    answers.map(({ body }) => body),
  );
  for (const key of keys) {
    const { state } = (await client.read(`troublemaker/${key}`)).body as { state: { count: number } };
    assert.equal(state.count, 1);
  }
  await dying.start();
  await cluster.untilReady();
});

test("twenty simultaneous requests with one key move the state once and get the same reply", async () => {
  await client.start("accumulator", "keyed", { args: 0 });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      client.call("accumulator/keyed", { add: 5 }, { idempotencyKey: "five", timeoutMs: 60_000 }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status, body }) => `${status} ${body["reply"]}`)), new Set(["200 5"]));
  assert.equal((await client.call("accumulator/keyed", "total")).body["reply"], 5);
});
