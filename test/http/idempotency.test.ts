import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { assertProblem } from "./problem.ts";

/** The same Idempotency-Key is the same message, whichever api it comes to. */

const cluster = new TestCluster({ apis: 2 });
const { client } = cluster;
const TWENTY = Array.from({ length: 20 });

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test("a repeated call gets the first one's reply and id, on either api, and moves the state once", async () => {
  const pid = "accumulator/called";
  await client.start("accumulator", "called", { args: 1 });
  const first = await client.call(pid, { add: 10 }, { idempotencyKey: "k" });
  await client.call(pid, { add: 100 });
  for (const url of cluster.urls) {
    const { status, body } = await client.call(pid, { add: 10 }, { idempotencyKey: "k", url });
    assert.deepEqual([status, body], [200, first.body]);
  }
  assert.deepEqual((await client.read(pid)).body["state"], { acc: 111, count: 2 });
});

test("twenty simultaneous requests with one key are one message: call, cast, start and stop", async () => {
  const pid = "accumulator/twenty";
  const starts = await Promise.all(
    TWENTY.map(() => client.start("accumulator", "twenty", { args: 1, idempotencyKey: "s" })),
  );
  assert.deepEqual(new Set(starts.map(({ status, body }) => `${status} ${body["pid"]}`)), new Set([`201 ${pid}`]));
  const calls = await Promise.all(TWENTY.map(() => client.call(pid, { add: 2 }, { idempotencyKey: "k" })));
  assert.deepEqual(new Set(calls.map(({ status, body }) => `${status} ${body["reply"]}`)), new Set(["200 3"]));
  const casts = await Promise.all(TWENTY.map(() => client.cast(pid, 4, { idempotencyKey: "k" })));
  assert.deepEqual([new Set(casts.map(({ body }) => body["messageId"])).size, casts[0]?.status], [1, 202]);
  assert.equal((await client.call(pid, "total")).body["reply"], 7);
  const stops = await Promise.all(TWENTY.map(() => client.stop(pid, { idempotencyKey: "k" })));
  assert.deepEqual(new Set(stops.map(({ status, body }) => `${status} ${body["reason"]}`)), new Set(["200 normal"]));
});

test("a start without a key derives it, so that its repeat finds the same process", async () => {
  const start = () =>
    client.request("POST", "/v1/processes", { module: "accumulator", args: 3 }, { idempotencyKey: "nameless" });
  const [first, again] = [await start(), await start()];
  assert.deepEqual([first.status, again.status], [201, 201]);
  assert.equal(first.body["pid"], again.body["pid"]);
  const { body } = await client.request("POST", "/v1/processes", { module: "stack" }, { idempotencyKey: "nameless" });
  assert.match(String(body["pid"]), /^stack\//);
});

test("another body under the same key is a conflict and changes nothing", async () => {
  const pid = "accumulator/conflict";
  await client.start("accumulator", "conflict", { args: 1, idempotencyKey: "k" });
  await client.call(pid, { add: 1 }, { idempotencyKey: "k" });
  await client.cast(pid, 1, { idempotencyKey: "k" });
  const conflicts = [
    client.start("accumulator", "conflict", { args: 2, idempotencyKey: "k" }),
    client.call(pid, { add: 2 }, { idempotencyKey: "k" }),
    client.call(pid, "total", { idempotencyKey: "k" }),
    client.cast(pid, 2, { idempotencyKey: "k" }),
    client.cast(pid, 1, { idempotencyKey: "k", delayMs: 10 }),
  ];
  for (const answer of await Promise.all(conflicts)) assertProblem(answer, "422 idempotency_conflict");
  assert.equal((await client.call(pid, "total")).body["reply"], 3);
  assert.deepEqual((await client.read(pid)).body["state"], { acc: 3, count: 2 });
});

test("a key belongs to its pid and its route", async () => {
  await Promise.all(["one", "two"].map((key) => client.start("notebook", key, { idempotencyKey: "k" })));
  const sent = await Promise.all([
    client.cast("notebook/one", 1, { idempotencyKey: "k" }),
    client.info("notebook/one", 1, { idempotencyKey: "k" }),
    client.cast("notebook/two", 2, { idempotencyKey: "k" }),
  ]);
  assert.equal(new Set(sent.map(({ body }) => body["messageId"])).size, 3);
  const { reply } = (await client.call("notebook/one", "read", { idempotencyKey: "k" })).body;
  assert.deepEqual((reply as { kind: string }[]).map(({ kind }) => kind).sort(), ["cast", "info"]);
});

test("an error is an outcome too: its repeat gets the same error and runs nothing", async () => {
  const pid = "troublemaker/erring";
  await client.start("troublemaker", "erring");
  const fail = () => client.call(pid, { do: "throw" }, { idempotencyKey: "k" });
  const [first, again] = [await fail(), await fail()];
  assertProblem(first, "500 callback_failed");
  assert.deepEqual(again.body, first.body);
  assert.equal((await client.read(pid)).body["turns"], 2);
});

test("a refusal is no outcome: the same request may succeed later under its key", async () => {
  const call = () => client.call("accumulator/not-yet", { add: 1 }, { idempotencyKey: "k" });
  assertProblem(await call(), "404 no_process");
  await client.start("accumulator", "not-yet");
  assert.deepEqual([(await call()).body["reply"], (await call()).body["reply"]], [1, 1]);
});

test("a key is visible ASCII of at most 255 characters", async () => {
  await client.start("accumulator", "keys");
  for (const key of ["", "two words", "k".repeat(256), "ключ"].map((key) => Buffer.from(key).toString("latin1"))) {
    assertProblem(await client.call("accumulator/keys", { add: 1 }, { idempotencyKey: key }), "400 invalid_request");
  }
  assert.equal((await client.call("accumulator/keys", "total", { idempotencyKey: "~".repeat(255) })).status, 200);
});
