import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { SECRET, WebApp } from "./web-app.ts";

/** GS-10: a message queue pushes to the app, and the app does it on the cluster. */

const app = await WebApp.create();
const cluster = new TestCluster({ env: { REMOTE_MODULES: app.endpoint, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 5_000 };
const HANDLED = { status: 200, text: "GenServerless handled\n" };

before(async () => {
  await cluster.start();
  await app.start({
    PUSH: JSON.stringify({ cluster: cluster.urls[0], token: "let-me-in", defaultModule: "accumulator" }),
  });
});
after(async () => {
  await cluster.stop();
  await app.stop();
  assertNoChildLeft();
});

function push(e: string, n: string, data?: string, more: object = {}) {
  const message = { attributes: { v: "1", e, n }, ...(data !== undefined && { data }), ...more };
  return app.post(JSON.stringify({ message }), {}, "?token=let-me-in");
}

function json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

async function totalOf(pid: string): Promise<unknown> {
  return (await client.call(pid, "total")).body["reply"];
}

test("GS-10 start, ready, cast and stop do what they do on the cluster, with the seed's own bodies", async () => {
  assert.deepEqual(await push("start", "8K4PIQ54OE19SOJB", json(100)), HANDLED);
  assert.deepEqual(await push("ready", "8K4PIQ54OE19SOJB"), HANDLED);
  assert.deepEqual(await push("cast", "8K4PIQ54OE19SOJB", "ZzJFSw=="), HANDLED);
  assert.deepEqual(await push("cast", "accumulator/8K4PIQ54OE19SOJB", json(20)), HANDLED);
  await until(async () => (await totalOf("accumulator/8K4PIQ54OE19SOJB")) === 130, SOON);
  const normal = Buffer.from(Buffer.from("8364 0006 6e6f 726d 616c".replaceAll(" ", ""), "hex").toString("base64"));
  assert.deepEqual(await push("stop", "8K4PIQ54OE19SOJB", normal.toString("base64")), HANDLED);
  const ended = ({ msg, final }: Record<string, unknown>) => msg === "accumulator terminate" && final === 130;
  await cluster.workers[0]?.untilRecord(ended, SOON);
  assert.deepEqual(await push("cast", "8K4PIQ54OE19SOJB", json(1)), HANDLED, "a cast to nobody is handled");
});

test("GS-10 a message that is delivered twice is done once", async () => {
  await push("start", "once", json(0), { messageId: "m1" });
  for (let delivery = 0; delivery < 3; delivery++) await push("cast", "once", json(5), { messageId: "m2" });
  await push("cast", "once", json(5), { messageId: "m3" });
  await until(async () => (await totalOf("accumulator/once")) === 10, SOON);
  assert.deepEqual(await push("start", "once", json(1), { messageId: "m4" }), HANDLED);
  assert.equal(await totalOf("accumulator/once"), 10);
});

test("GS-10 a push is refused without its token, and nothing is done", async () => {
  const body = JSON.stringify({ message: { attributes: { v: "1", e: "start", n: "intruder" }, data: json(1) } });
  for (const query of ["", "?token=", "?token=let-me-out", "?token=let-me-in2"]) {
    const { status, text } = await app.post(body, {}, query);
    assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [401, "push_unauthorized"], query);
    assert.ok(!text.includes("let-me-in"));
  }
  assert.equal((await client.read("accumulator/intruder")).status, 404);
});

test("GS-10 what is not recognised, or would never be taken, is handled and logged", async () => {
  const bodies = ["{}", "[]", "7", '{"message":{}}', '{"message":{"attributes":{"v":"2","e":"cast","n":"x"}}}'];
  for (const body of bodies) assert.deepEqual(await app.post(body), HANDLED, body);
  assert.deepEqual(await push("cast", "once", Buffer.from("{").toString("base64")), HANDLED);
  assert.deepEqual(await push("cast", "no such/name at all", json(1)), HANDLED);
  assert.equal(app.stderr.filter((line) => line.includes("unrecognized message")).length, bodies.length);
  assert.ok(app.stderr.some((line) => line.includes("data is neither JSON nor a plain term")));
  assert.equal((await app.post("{")).status, 400);
});

test("GS-10 what cannot be done now is answered 503, so that it is pushed again", async () => {
  const lost = await WebApp.create();
  await lost.start({
    PUSH: JSON.stringify({ cluster: "http://127.0.0.1:9", allowUnsignedPush: true, defaultModule: "x" }),
  });
  const body = JSON.stringify({ message: { attributes: { v: "1", e: "cast", n: "a" }, data: json(1) } });
  const { status, text } = await lost.post(body);
  assert.deepEqual([status, (JSON.parse(text) as { code: string }).code], [503, "push_undone"]);
  await lost.stop();
});

test("GS-10 an app that was mounted without a token, or without a cluster, takes no push", async () => {
  const bare = await WebApp.create();
  await bare.start();
  const body = JSON.stringify({ message: { attributes: { v: "1", e: "cast", n: "a" }, data: json(1) } });
  assert.equal((await bare.post(body)).status, 401);
  await bare.stop();
  await bare.start({ PUSH: JSON.stringify({ allowUnsignedPush: true }) });
  assert.equal((await bare.post(body)).status, 503);
  await bare.stop();
});
