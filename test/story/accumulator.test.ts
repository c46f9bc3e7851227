import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertProblem } from "../http/problem.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** GenServerless' own demo, told over HTTP. The tests follow one another, as the steps of the demo do. */

const cluster = new TestCluster({ apis: 1, workers: 1, sessionTtlMs: 6_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const ALICE = "accumulator/alice";

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

/** What the worker has logged about a process that has ended, to its last line, without the log's own fields. */
async function untilTold(pid: string): Promise<Record<string, unknown>[]> {
  const isLast = ({ pid: logged, msg }: Record<string, unknown>) => logged === pid && msg === "accumulator terminate";
  await Promise.all(cluster.workers.map((worker) => worker.untilRecord(isLast, { withinMs: 60_000 })));
  return linesOf(pid);
}

function linesOf(pid: string): Record<string, unknown>[] {
  const records = cluster.workers.flatMap((worker) => worker.records);
  return records
    .filter((record) => record["pid"] === pid)
    .map(({ level: _level, time: _time, node: _node, pid: _pid, messageId: _messageId, ...line }) => line);
}

test("GS 1.8.1: the cluster is there and takes calls", async () => {
  assert.deepEqual((await client.get("/ready")).body, { status: "ok" });
});

test("GS-1, GS-2, GS 1.7.1, GS 1.8.2: a start with 100 makes alice", async () => {
  const { status, body } = await client.start("accumulator", "alice", { args: 100 });
  assert.deepEqual([status, body["pid"]], [201, ALICE]);
});

test("GS-3, GS 1.8.3, GS 1.8.4: casts of 10 and 20 are added, and a call for the total gives 130", async () => {
  assert.equal((await client.cast(ALICE, 10)).status, 202);
  assert.equal((await client.cast(ALICE, 20)).status, 202);
  const { status, body } = await client.call(ALICE, "total");
  assert.deepEqual([status, body["reply"]], [200, 130]);
});

test("GS 1.8.7: a start of alice while she lives is refused", async () => {
  assertProblem(await client.start("accumulator", "alice", { args: 1 }), "409 already_started");
  assert.equal((await client.call(ALICE, "total")).body["reply"], 130);
});

test("GS-4, GS-8, GS 1.8.5: a stop answers normal, after terminate has run", async () => {
  const { status, body } = await client.stop(ALICE);
  assert.deepEqual([status, body], [200, { reason: "normal" }]);
});

test("GS-15: the worker's log tells it in order: init, two casts, terminate", async () => {
  assert.deepEqual(await untilTold(ALICE), [
    { msg: "accumulator init", initial: 100 },
    { msg: "accumulator cast", val: 10, acc: 110, count: 1 },
    { msg: "accumulator cast", val: 20, acc: 130, count: 2 },
    { msg: "accumulator terminate", reason: "normal", final: 130, count: 2 },
  ]);
});

test("GS 1.7.4, GS 1.8.6: a cast to a process that has stopped is refused and runs nothing", async () => {
  const before = linesOf(ALICE).length;
  for (const answer of [client.cast(ALICE, 10), client.call(ALICE, "total"), client.stop(ALICE), client.read(ALICE)]) {
    assertProblem(await answer, "404 no_process");
  }
  assert.equal(linesOf(ALICE).length, before);
});

test("GS 1.8.7: after its stop the name is free, and a new life begins with its own state", async () => {
  assert.equal((await client.start("accumulator", "alice", { args: 1 })).status, 201);
  assert.equal((await client.call(ALICE, "total")).body["reply"], 1);
});

test("GS-4, GS 1.7.2: a stop runs after the casts that were sent before it", async () => {
  const pid = "accumulator/queued";
  await client.start("accumulator", "queued", { args: 0 });
  for (let value = 1; value <= 5; value++) await client.cast(pid, value);
  await client.stop(pid);
  assert.deepEqual((await untilTold(pid)).at(-1), {
    msg: "accumulator terminate",
    reason: "normal",
    final: 15,
    count: 5,
  });
});

test("GS-6, GS 1.8.8: an init that declines leaves no process and runs no terminate", async () => {
  assertProblem(await client.start("troublemaker", "declined", { args: { init: "stop" } }), "422 init_stopped");
  assertProblem(await client.cast("troublemaker/declined", { do: "add" }), "404 no_process");
});

test("GS 1.7, GS 1.8.9: a cast that throws is set aside where a person sees it, and the process goes on", async () => {
  const pid = "accumulator/sturdy";
  await client.start("accumulator", "sturdy", { args: 5 });
  const { messageId } = (await client.cast(pid, "five")).body;
  await client.cast(pid, 5);
  assert.equal((await client.call(pid, "total")).body["reply"], 10);
  const { deadLetters } = (await client.get(`/v1/processes/${pid}/dead-letters`)).body as {
    deadLetters: Record<string, unknown>[];
  };
  assert.deepEqual(
    deadLetters.map(({ messageId, kind, message }) => ({ messageId, kind, message })),
    [{ messageId, kind: "cast", message: "five" }],
  );
});

test("GS 1.7.2, GS 1.7.5, GS 1.8.10: a thousand casts are handled in the order in which they were sent", async () => {
  await client.start("stack", "ordered", { args: [] });
  for (let value = 0; value < 1_000; value++) await client.cast("stack/ordered", { push: value });
  assert.equal((await client.call("stack/ordered", "size")).body["reply"], 1_000);
  const newestFirst = Array.from({ length: 1_000 }, (_, index) => 999 - index);
  assert.deepEqual((await client.read("stack/ordered")).body["state"], newestFirst);
});
