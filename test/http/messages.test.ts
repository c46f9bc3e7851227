import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deriveMessageId } from "@genserverless/shared/process/message.ts";
import { partitionOf } from "@genserverless/shared/process/pid.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** A message by its id: what became of it, taking it back, letting it wait, and sending it twice. */

const cluster = new TestCluster();
const { client } = cluster;
const SOON = { withinMs: 5_000, everyMs: 5 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const read = async (id: unknown, waitMs = 0) => (await client.get(`/v1/messages/${id}?wait=${waitMs}`)).body;
const remove = (id: unknown) => client.request("DELETE", `/v1/messages/${id}`);
const untilStatus = (id: unknown, status: string) =>
  until(async () => (await read(id))["status"] === status, { ...SOON, what: `${id} is ${status}` });

test("a message is running while it is in hand and done with its reply; the one behind it is queued", async () => {
  await client.start("troublemaker", "seen");
  const calling = client.call("troublemaker/seen", { do: "sleep", ms: 400 });
  await cluster.workers[0]?.untilRecord(({ pid }) => pid === "troublemaker/seen", SOON);
  const { messageId: behind } = (await client.cast("troublemaker/seen", { do: "add" })).body;
  assert.equal((await read(behind))["status"], "queued");
  const { body } = await client.read("troublemaker/seen");
  assert.deepEqual([body["status"], (body["mailbox"] as { waiting: number }).waiting], ["running", 1]);
  const called = await calling;
  assert.deepEqual(await read(called.body["messageId"]), {
    messageId: called.body["messageId"],
    status: "done",
    reply: 1,
  });
  assert.equal((await read(behind, 5_000))["status"], "done");
});

test("a message in hand, or handled already, cannot be taken back", async () => {
  await client.start("troublemaker", "running");
  const { messageId } = (await client.cast("troublemaker/running", { do: "sleep", ms: 300 })).body;
  await untilStatus(messageId, "running");
  assertProblem(await remove(messageId), "409 not_cancellable");
  assert.equal((await read(messageId, 5_000))["status"], "done");
  assertProblem(await remove(messageId), "409 not_cancellable");
  assert.deepEqual((await client.read("troublemaker/running")).body["state"], { count: 1, notes: [] });
});

test("a message whose callback threw is failed, with the error and without its stack", async () => {
  await client.start("troublemaker", "failing");
  const { messageId } = (await client.cast("troublemaker/failing", { do: "throw" })).body;
  assert.deepEqual(await read(messageId, 5_000), {
    messageId,
    status: "failed",
    error: { code: "callback_failed", detail: "troublemaker.handleCast threw RangeError: as asked" },
  });
});

test("what a stop leaves behind is dropped: no process any more", async () => {
  await client.start("troublemaker", "stopping");
  await client.cast("troublemaker/stopping", { do: "sleep", ms: 200 });
  const stopping = client.stop("troublemaker/stopping");
  const { messageId: delayed } = (await client.cast("troublemaker/stopping", { do: "add" }, { delayMs: 60_000 })).body;
  await stopping;
  const message = await read(delayed, 5_000);
  assert.deepEqual([message["status"], (message["error"] as { code: string }).code], ["dropped", "no_process"]);
});

test("a waiting reader is answered when the message is final, or when its wait is over", async () => {
  await client.start("notebook", "awaited");
  const sentAt = performance.now();
  const { messageId } = (await client.cast("notebook/awaited", "later", { delayMs: 500 })).body;
  assert.equal((await read(messageId, 100))["status"], "queued");
  assert.ok(performance.now() - sentAt >= 95 && performance.now() - sentAt < 450, "the first wait was its own");
  assert.equal((await read(messageId, 10_000))["status"], "done");
  assert.ok(performance.now() - sentAt < 3_000);
});

test("a queued message and a delayed one can be taken back, and are never handled", async () => {
  await client.start("troublemaker", "cancelled");
  const { messageId: first } = (await client.cast("troublemaker/cancelled", { do: "sleep", ms: 300 })).body;
  await untilStatus(first, "running");
  const { messageId: queued } = (await client.cast("troublemaker/cancelled", { do: "add" })).body;
  const { messageId: delayed } = (await client.info("troublemaker/cancelled", 1, { delayMs: 400 })).body;
  for (const messageId of [queued, delayed]) {
    const { status, body } = await remove(messageId);
    assert.deepEqual([status, body], [200, { messageId, status: "dropped" }]);
    const message = await read(messageId);
    assert.deepEqual([message["status"], (message["error"] as { code: string }).code], ["dropped", "cancelled"]);
    assert.equal((await remove(messageId)).status, 200, "taking it back again changes nothing");
  }
  assert.equal((await read(first, 5_000))["status"], "done");
  const { body } = await client.read("troublemaker/cancelled");
  assert.deepEqual([body["turns"], body["mailbox"]], [2, { waiting: 0, delayed: 0, failed: 0 }]);
});

test("a caller whose call is taken back is told so", async () => {
  const pid = "troublemaker/recalled";
  await client.start("troublemaker", "recalled");
  const { messageId: first } = (await client.cast(pid, { do: "sleep", ms: 300 })).body;
  await untilStatus(first, "running");
  const calling = client.call(pid, { do: "add" }, { idempotencyKey: "k" });
  const messageId = deriveMessageId(partitionOf(pid, 64), pid, "call", "k");
  await untilStatus(messageId, "queued");
  assert.equal((await remove(messageId)).status, 200);
  const recalled = await calling;
  assertProblem(recalled, "409 cancelled");
  assert.equal(recalled.body["messageId"], messageId);
  assert.equal((await client.call(pid, { do: "add" })).body["reply"], 2);
});

test("what is no message is 404", async () => {
  for (const id of [
    "nothing",
    "7-00000000-0000-4000-8000-000000000000",
    "99999-00000000-0000-4000-8000-000000000000",
  ]) {
    assertProblem(await client.get(`/v1/messages/${id}`), "404 unknown_message");
    assertProblem(await remove(id), "404 unknown_message");
  }
});

test("a delayed cast and a delayed info are handled at their time and not before; others overtake them", async () => {
  await client.start("notebook", "delayed");
  const sentAt = Date.now();
  await client.cast("notebook/delayed", "at 700", { delayMs: 700 });
  await client.info("notebook/delayed", "at 350", { delayMs: 350 });
  await client.cast("notebook/delayed", "at once");
  await until(async () => {
    const { waiting, delayed } = (await client.read("notebook/delayed")).body["mailbox"] as Record<string, number>;
    return waiting === 0 && delayed === 2;
  }, SOON);
  const notes = await until(async () => {
    const { state } = (await client.read("notebook/delayed")).body as {
      state: { notes: { text: string; at: number }[] };
    };
    return state.notes.length === 3 ? state.notes : undefined;
  }, SOON);
  const expected: [string, number][] = [
    ["at once", 0],
    ["at 350", 350],
    ["at 700", 700],
  ];
  for (const [index, [text, dueMs]] of expected.entries()) {
    const note = notes[index];
    assert.equal(note?.text, text);
    const tookMs = Number(note?.at) - sentAt;
    assert.ok(tookMs >= dueMs && tookMs < dueMs + 1_000, `${text} came after ${tookMs} ms`);
  }
});
