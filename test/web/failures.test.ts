import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { signRequest } from "genserverless/web/signature.ts";
import { untilSound } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { WorkerKiller } from "../tools/worker-killer.ts";
import { SECRET, WebApp } from "./web-app.ts";

/** GS-9: whatever a web app does or fails to do, a turn comes to nothing or to what it should, once. */

const app = await WebApp.create();
const cluster = new TestCluster({ workers: 3, env: { REMOTE_MODULES: app.endpoint, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 10_000 };
const ROUNDS = 3;
/** In each round. */
const CASTS = 60;
const LATER = { withinMs: 60_000 };

before(async () => {
  await app.start();
  await cluster.start();
  await client.start("web-plain", "p");
  await client.start("web-counter", "c");
});
after(async () => {
  await cluster.stop();
  await app.stop();
  assertNoChildLeft();
});

async function totalOf(pid: string): Promise<unknown> {
  return (await client.call(pid, "total")).body["reply"];
}

/** It is gone, and the workers of both processes know: one that has not noticed would send a request into what has ended. */
async function stopApp(): Promise<void> {
  await app.stop();
  await Promise.all(["web-plain/p", "web-counter/c"].map((pid) => client.call(pid, "anybody?")));
}

const FAILURES: [mood: string, code: string, detail: RegExp][] = [
  ["error", "callback_failed", /answered 500, and the answer is not signed$/],
  ["half", "callback_failed", /terminated|other side closed/],
  ["unsigned", "callback_failed", /answered 200, and the answer is not signed$/],
  ["not-json", "callback_failed", /answered 200, and the answer is not signed$/],
  ["huge", "callback_failed", /the answer has more than 33554432 bytes$/],
  ["reset", "callback_failed", /other side closed|ECONNRESET/],
  ["stall", "callback_timeout", /did not answer within \d+ ms$/],
  ["hang", "callback_timeout", /did not answer within \d+ ms$/],
];

for (const [mood, code, detail] of FAILURES) {
  test(`GS-9 an app that answers "${mood}" fails the turn, and the process goes on`, async () => {
    const before = (await client.read("web-plain/p")).body["state"];
    await app.be(mood, 1);
    const { status, body } = await client.call("web-plain/p", { to: mood });
    assert.deepEqual([status, body["code"]], [500, code], JSON.stringify(body));
    const told = String(body["detail"]);
    assert.match(told, detail);
    assert.ok(told.startsWith("web-plain.handleCall: ") && told.includes(app.endpoint), told);
    assert.ok(!told.includes(SECRET) && !told.includes("hunter2"), told);
    assert.deepEqual((await client.read("web-plain/p")).body["state"], before);
    const { body: next } = await client.call("web-plain/p", `after ${mood}`);
    const { heard } = next["reply"] as { heard: unknown[] };
    assert.equal(heard.at(-1), `after ${mood}`);
    assert.ok(!heard.some((message) => typeof message === "object"), "what failed has left nothing");
  });
}

test("GS-9 an answer that is signed for another request, or with another secret, does not count", async () => {
  await stopApp();
  await app.start({ REMOTE_SECRET: "another-secret-than-the-clusters" });
  const { body } = await client.call("web-plain/p", "who are you?");
  assert.match(String(body["detail"]), /answered 401 signature_wrong, and the answer is not signed$/);
  await stopApp();
  await app.start();
});

test("GS-9 a refused connection is tried twice, and fails the turn; a cast waits for the app by its module's retry", async () => {
  await stopApp();
  const { body } = await client.call("web-plain/p", "anybody?");
  assert.equal(body["code"], "callback_failed");
  assert.match(String(body["detail"]), new RegExp(`^web-plain.handleCall: ${app.endpoint}: .*ECONNREFUSED`));
  await client.cast("web-counter/c", { add: { by: 5 } });
  await app.start();
  await until(async () => (await totalOf("web-counter/c")) === 5, SOON);
});

test("GS-9 a cold start within the deadline is waited for", async () => {
  await stopApp();
  await app.start({ COLD_MS: "800" });
  assert.equal((await client.call("web-counter/c", { add: 1 })).body["reply"], 6);
});

test("GS-9 a slow answer, and a large one, count", async () => {
  await app.be("slow", 1);
  assert.equal((await client.call("web-counter/c", { add: 1 })).body["reply"], 7);
  const { body } = await client.call("web-counter/c", { big: 4_000_000 });
  assert.equal(String(body["reply"]).length, 4_000_000);
  const tooBig = await client.call("web-counter/c", { big: 9_000_000 });
  assert.equal(tooBig.body["code"], "reply_too_large");
});

test("GS-9 a callback that is not done in time is told so by the app's side of the deadline", async () => {
  const { body } = await client.call("web-counter/c", { slow: 10_000 });
  assert.equal(body["code"], "callback_timeout");
  assert.match(String(body["detail"]), /web-counter\.handleCall/);
});

test("GS-9 forged, old and replayed requests are refused, by name, and run nothing", async () => {
  await client.start("web-counter", "guarded");
  const { last, count } = await app.seen();
  const taken = last.at(-1);
  assert.ok(taken);
  const names = ["timestamp", "nonce", "signature"].map((name) => `x-genserverless-${name}`);
  const headers = Object.fromEntries(names.map((name) => [name, String(taken.headers[name])]));
  const refusal = async (body: string, given: Record<string, string>) => {
    const { status, text } = await app.post(body, given);
    assert.equal(status, 401, text);
    return (JSON.parse(text) as { code: string }).code;
  };
  assert.equal(await refusal(taken.body, headers), "signature_replayed");
  assert.equal(await refusal(taken.body, {}), "signature_missing");
  assert.equal(await refusal(taken.body.replace('"attempt":1', '"attempt":2'), headers), "signature_wrong");
  assert.equal(await refusal(taken.body, { ...headers, "x-genserverless-nonce": "n".repeat(22) }), "signature_wrong");
  const parts = { method: "POST", target: "/genserverless", body: taken.body };
  assert.equal(await refusal(taken.body, signRequest(SECRET, parts, Date.now() - 61_000)), "signature_old");
  assert.equal((await app.seen()).count, count + 4, "the app was asked");
  assert.equal(await totalOf("web-counter/guarded"), 0);
  const manifest = await fetch(app.endpoint);
  assert.equal(manifest.status, 401);
});

test("GS-9 nothing counts twice while workers and the app are killed", { timeout: 110_000 }, async () => {
  const keys = ["k1", "k2", "k3"];
  await Promise.all(keys.map((key) => client.start("web-counter", key)));
  await client.start("accumulator", "sink", { args: 0 });
  const cast = async (index: number) => {
    const message = { add: { by: 1, sink: "accumulator/sink" } };
    const options = { idempotencyKey: `cast-${index}` };
    const pid = `web-counter/${keys[index % keys.length]}`;
    await until(async () => (await client.cast(pid, message, options)).status === 202, LATER);
  };
  const killer = new WorkerKiller(cluster.workers, 1_000);
  killer.start();
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const casts = Array.from({ length: CASTS }, (_, index) => round * CASTS + index).map(cast);
      await until(async () => (await app.seen()).count > 0, LATER);
      await app.kill();
      await app.start();
      // What is half answered has run in the app, and must not count.
      await app.be("half", 5);
      await Promise.all(casts);
    }
    await until(() => killer.kills >= 2, LATER);
  } finally {
    await killer.stop();
  }
  const states = () => Promise.all(keys.map(async (key) => (await client.read(`web-counter/${key}`)).body["state"]));
  const each = (ROUNDS * CASTS) / keys.length;
  await until(async () => (await states()).every((state) => (state as { turns: number }).turns >= each), LATER);
  const totals = (await states()).map((state) => (state as { total: number }).total);
  assert.deepEqual(totals, [each, each, each]);
  await until(async () => (await totalOf("accumulator/sink")) === ROUNDS * CASTS, LATER);
  const redis = cluster.redis.connect();
  await untilSound(redis, cluster.keyPrefix, 64);
  redis.disconnect();
});
