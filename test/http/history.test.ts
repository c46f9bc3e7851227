import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { EventReader } from "../tools/event-reader.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** A process, followed over HTTP: subscribe to state. */

const cluster = new TestCluster({ apis: 2, workers: 2, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 20_000 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const follow = (pid: string, lastEventId?: string, at = 0) =>
  EventReader.open(`${cluster.urls[at]}/v1/processes/${pid}/events`, lastEventId);

test("a follower gets a snapshot, then each commit with its messages and state, then the end", async () => {
  await client.start("accumulator", "seen", { args: 5 });
  await using reader = await follow("accumulator/seen");
  const { event, data } = await reader.next(SOON);
  assert.equal(event, "snapshot");
  assert.deepEqual([data["pid"], data["state"]], ["accumulator/seen", { acc: 5, count: 0 }]);
  const { messageId } = (await client.call("accumulator/seen", { add: 2 })).body;
  const commit = await reader.next(SOON);
  assert.equal(commit.event, "commit");
  assert.deepEqual(commit.data, {
    revision: Number(data["revision"]) + 1,
    turns: Number(data["turns"]) + 1,
    messages: [{ messageId, kind: "call", verdict: "done", status: "done" }],
    state: { acc: 7, count: 1 },
    stateBytes: 19,
  });
  await client.stop("accumulator/seen", { reason: "shutdown" });
  const stop = await reader.next(SOON);
  assert.deepEqual((stop.data["messages"] as { kind: string }[])[0]?.kind, "stop");
  const end = await reader.next(SOON);
  assert.deepEqual([end.event, end.data], ["ended", { reason: "shutdown" }]);
  await reader.untilEnd();
});

test("whoever resumes, at another api too, misses and doubles nothing, also over the death of a worker", async () => {
  await client.start("accumulator", "resumed");
  const first = await follow("accumulator/resumed");
  await first.next(SOON);
  await client.call("accumulator/resumed", { add: 1 });
  const { id, data } = await first.next(SOON);
  await first[Symbol.asyncDispose]();
  for (let time = 0; time < 3; time++) await client.call("accumulator/resumed", { add: 1 });
  await cluster.workers[0]?.kill();
  assert.equal((await client.call("accumulator/resumed", { add: 1 }, { timeoutMs: 20_000 })).status, 200);
  await using second = await follow("accumulator/resumed", id, 1);
  const seen: number[] = [];
  let revision = Number(data["revision"]);
  while ((seen.at(-1) ?? 0) < 5) {
    const { event, data: facts } = await second.next(SOON);
    assert.equal(event, "commit");
    assert.equal(facts["revision"], ++revision);
    seen.push((facts["state"] as { acc: number }).acc);
  }
  assert.deepEqual(seen, [2, 3, 4, 5]);
});

test("a failed message, and a killed process, are told; an id that is not kept begins with a snapshot", async () => {
  await client.start("troublemaker", "shown");
  await using reader = await follow("troublemaker/shown", "1-1");
  assert.equal((await reader.next(SOON)).event, "snapshot");
  await client.cast("troublemaker/shown", { do: "throw" });
  const { data } = await reader.next(SOON);
  const [message] = data["messages"] as { kind: string; verdict: string; status: string }[];
  assert.deepEqual([message?.kind, message?.verdict, message?.status], ["cast", "dead", "failed"]);
  await client.request("POST", "/v1/processes/troublemaker/shown/kill", {});
  assert.equal((await reader.nextWhere(({ event }) => event === "ended", SOON)).data["reason"], "killed");
});

test("a life that began meanwhile begins with a snapshot of it, for whoever stays and for whoever comes back", async () => {
  await client.start("accumulator", "reborn");
  const first = await follow("accumulator/reborn");
  await first.next(SOON);
  await client.stop("accumulator/reborn");
  const { id } = await first.nextWhere(({ event }) => event === "ended", SOON);
  await client.start("accumulator", "reborn", { args: 40 });
  await using second = await follow("accumulator/reborn", id);
  const { event, data } = await second.next(SOON);
  assert.deepEqual([event, data["state"]], ["snapshot", { acc: 40, count: 0 }]);
});

test("what nobody has kept is made good by a snapshot", async () => {
  await client.start("accumulator", "gap");
  await using reader = await follow("accumulator/gap");
  await reader.next(SOON);
  const redis = cluster.redis.connect();
  try {
    // As after a minute in which no api renewed it.
    const [record = ""] = await redis.keys("*proc:accumulator/gap");
    await redis.hdel(record, "m");
    await client.call("accumulator/gap", { add: 1 });
    await redis.hset(record, "m", String(Date.now() + 60_000));
    await client.call("accumulator/gap", { add: 1 });
    const { event, data } = await reader.next(SOON);
    assert.deepEqual([event, (data["state"] as { acc: number }).acc], ["snapshot", 2]);
  } finally {
    redis.disconnect();
  }
});

test("a process that nobody follows keeps no history", async () => {
  await client.start("accumulator", "alone");
  await client.call("accumulator/alone", { add: 1 });
  const redis = cluster.redis.connect();
  try {
    const histories = await redis.keys("*history:accumulator/alone");
    assert.deepEqual(histories, []);
  } finally {
    redis.disconnect();
  }
});

test("nobody there is a 404, and a wrong id a 400", async () => {
  assert.equal((await client.get("/v1/processes/accumulator/nobody/events")).status, 404);
  await client.start("accumulator", "there");
  const url = `${cluster.urls[0]}/v1/processes/accumulator/there/events`;
  assert.equal((await fetch(url, { headers: { "last-event-id": "x" } })).status, 400);
});
