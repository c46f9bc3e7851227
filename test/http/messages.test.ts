import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deriveMessageId } from "@genserverless/shared/process/message.ts";
import { partitionOf } from "@genserverless/shared/process/pid.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";
import { whileStanding } from "./standing.ts";

/** A message by its id: what became of it, taking it back, letting it wait, and sending it twice. */

const cluster = new TestCluster({ sessionTtlMs: 20_000 });
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
const whileNothingRuns = <T>(act: () => Promise<T>) => whileStanding(cluster.workers, act);

/** A message that is in hand for as long as nothing runs. */
async function putInHand(pid: string): Promise<unknown> {
  const { messageId } = (await client.cast(pid, { do: "add" })).body;
  assert.equal((await read(messageId))["status"], "running");
  return messageId;
}

test("a message is running while it is in hand and done with its reply; the one behind it is queued", async () => {
  const pid = "troublemaker/seen";
  await client.start("troublemaker", "seen");
  const { calling, behind } = await whileNothingRuns(async () => {
    const calling = client.call(pid, { do: "add" }, { idempotencyKey: "k" });
    await untilStatus(deriveMessageId(partitionOf(pid, 64), pid, "call", "k"), "running");
    const { messageId: behind } = (await client.cast(pid, { do: "add" })).body;
    assert.equal((await read(behind))["status"], "queued");
    const { body } = await client.read(pid);
    assert.deepEqual([body["status"], (body["mailbox"] as { waiting: number }).waiting], ["running", 1]);
    return { calling, behind };
  });
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
  const messageId = await whileNothingRuns(async () => {
    const messageId = await putInHand("troublemaker/running");
    assertProblem(await remove(messageId), "409 not_cancellable");
    return messageId;
  });
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
  const { stopping, delayed } = await whileNothingRuns(async () => {
    const stopping = client.stop("troublemaker/stopping");
    const late = await client.cast("troublemaker/stopping", { do: "add" }, { delayMs: 60_000 });
    return { stopping, delayed: late.body["messageId"] };
  });
  await stopping;
  const message = await read(delayed, 5_000);
  assert.deepEqual([message["status"], (message["error"] as { code: string }).code], ["dropped", "no_process"]);
});

test("a waiting reader is answered when the message is final, or when its wait is over", async () => {
  await client.start("notebook", "awaited");
  const { messageId: late } = (await client.cast("notebook/awaited", "late", { delayMs: 3_600_000 })).body;
  const askedAt = performance.now();
  assert.equal((await read(late, 100))["status"], "queued");
  assert.ok(performance.now() - askedAt >= 95, "the wait was its own");
  const { messageId: soon } = (await client.cast("notebook/awaited", "soon", { delayMs: 500 })).body;
  assert.equal((await read(soon, 60_000))["status"], "done");
  assert.ok(performance.now() - askedAt < 10_000, "no wait was longer than it had to be");
});

test("a queued message and a delayed one can be taken back, and are never handled", async () => {
  await client.start("troublemaker", "cancelled");
  const first = await whileNothingRuns(async () => {
    const first = await putInHand("troublemaker/cancelled");
    const { messageId: queued } = (await client.cast("troublemaker/cancelled", { do: "add" })).body;
    const { messageId: delayed } = (await client.info("troublemaker/cancelled", 1, { delayMs: 400 })).body;
    for (const messageId of [queued, delayed]) {
      const { status, body } = await remove(messageId);
      assert.deepEqual([status, body], [200, { messageId, status: "dropped" }]);
      const message = await read(messageId);
      assert.deepEqual([message["status"], (message["error"] as { code: string }).code], ["dropped", "cancelled"]);
      assert.equal((await remove(messageId)).status, 200, "taking it back again changes nothing");
    }
    return first;
  });
  assert.equal((await read(first, 5_000))["status"], "done");
  const { body } = await client.read("troublemaker/cancelled");
  assert.deepEqual([body["turns"], body["mailbox"]], [2, { waiting: 0, delayed: 0, failed: 0 }]);
});

test("a caller whose call is taken back is told so", async () => {
  const pid = "troublemaker/recalled";
  await client.start("troublemaker", "recalled");
  const messageId = deriveMessageId(partitionOf(pid, 64), pid, "call", "k");
  const recalled = await whileNothingRuns(async () => {
    await putInHand(pid);
    const calling = client.call(pid, { do: "add" }, { idempotencyKey: "k" });
    await untilStatus(messageId, "queued");
    assert.equal((await remove(messageId)).status, 200);
    return await calling;
  });
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
  const pid = "notebook/delayed";
  await client.start("notebook", "delayed");
  const sentAt = Date.now();
  const delayed = await whileNothingRuns(async () => {
    await client.cast(pid, 700, { delayMs: 700 });
    await client.info(pid, 350, { delayMs: 350 });
    await client.cast(pid, 0);
    const { mailbox, delayed } = (await client.get(`/v1/processes/${pid}/mailbox`)).body as unknown as Mailbox;
    assert.deepEqual(mailbox, { waiting: 0, delayed: 2, failed: 0 });
    return delayed.map(({ message, dueAt }) => ({ delayMs: message, dueAt: Date.parse(dueAt) }));
  });
  const notes = await until(async () => {
    const { state } = (await client.read(pid)).body as { state: { notes: { text: number; at: number }[] } };
    return state.notes.length === 3 ? state.notes : undefined;
  }, SOON);
  // Whoever stood still between sending the two has brought their times nearer to each other.
  const due = delayed.toSorted((a, b) => a.dueAt - b.dueAt);
  assert.deepEqual(
    notes.map(({ text }) => text),
    [0, ...due.map(({ delayMs }) => delayMs)],
  );
  for (const [index, { delayMs, dueAt }] of due.entries()) {
    const lateMs = Number(notes[index + 1]?.at) - dueAt;
    assert.ok(dueAt >= sentAt + delayMs && lateMs >= 0 && lateMs < 3_000, `${delayMs} came ${lateMs} ms late`);
  }
});

interface Mailbox {
  mailbox: Record<string, number>;
  delayed: { message: number; dueAt: string }[];
}
