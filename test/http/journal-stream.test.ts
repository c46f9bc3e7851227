import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { EventReader } from "../tools/event-reader.ts";
import { until } from "../tools/until.ts";
import { makeDiaries, pathOf, SOON } from "./diaries.ts";

/** A journal, followed over HTTP. */

const { cluster, write, tally } = makeDiaries({ apis: 2, workers: 2, redis: { appendfsync: "always" } });
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test("a follower is told the past and then what comes, and goes on at another api without a gap or a double", async () => {
  const pid = "diary/followed";
  await write(pid, "1", "2", "3");
  const url = (at: number, rest = "") => `${cluster.urls[at]}${pathOf(pid, `/stream${rest}`)}`;
  const first = await EventReader.open(url(0, "?from=2"));
  const seen: unknown[] = [];
  const take = async (reader: EventReader) => {
    const { event, id, data } = await reader.next(SOON);
    assert.deepEqual([event, id], ["event", String(data["sequence"])]);
    seen.push(data["data"]);
    return id;
  };
  await take(first);
  await take(first);
  await write(pid, "4");
  const id = await take(first);
  await first[Symbol.asyncDispose]();
  await write(pid, "5", "6");
  await using second = await EventReader.open(url(1, "?from=1"), id);
  await take(second);
  await take(second);
  await cluster.workers[0]?.kill();
  assert.equal((await client.call(pid, { write: "7" }, { timeoutMs: 20_000 })).status, 200);
  await take(second);
  await client.stop(pid, { reason: "normal" });
  await write(pid, "8");
  await take(second);
  assert.deepEqual(seen, ["2", "3", "4", "5", "6", "7", "8"]);
  await cluster.addWorker();
});

test("while a journal grows, each of many followers is told every event once", async () => {
  const pid = "tally/busy";
  await tally(pid, 1);
  const url = (at: number) => `${cluster.urls[at]}${pathOf(pid, "/stream")}`;
  const readers = await Promise.all([0, 1, 0].map((at) => EventReader.open(url(at))));
  for (let time = 0; time < 20; time++) await tally(pid, 10);
  for (const reader of readers) {
    for (let sequence = 1; sequence <= 201; sequence++) {
      assert.equal((await reader.next(SOON)).data["sequence"], sequence);
    }
    await reader[Symbol.asyncDispose]();
  }
});

test("a follower is told when the journal ends, and when another one takes its place", async () => {
  const pid = "diary/replaced";
  await write(pid, "a", "b");
  const { body: document } = await client.get(`/v1/processes/${pid}/export`);
  await using reader = await EventReader.open(`${cluster.urls[0]}${pathOf(pid, "/stream")}`);
  await reader.next(SOON);
  await reader.next(SOON);
  await write("diary/other", "x", "y", "z");
  const { body: other } = await client.get("/v1/processes/diary/other/export");
  const replace = { document: other, pid, ifExists: "replace" };
  assert.equal((await client.request("POST", "/v1/processes/import", replace)).status, 201);
  assert.deepEqual((await reader.next(SOON)).data, { reason: "replaced" });
  await reader.untilEnd();
  assert.equal((document["journal"] as { events: unknown[] }).events.length, 2);
});

test("a follower goes on over a crash of Redis", async () => {
  const pid = "diary/over-a-crash";
  await write(pid, "a");
  await using reader = await EventReader.open(`${cluster.urls[0]}${pathOf(pid, "/stream")}`);
  assert.equal((await reader.next(SOON)).data["data"], "a");
  await cluster.redis.kill();
  await cluster.redis.restart();
  const writeOnce = () => client.call(pid, { write: "b" }, { idempotencyKey: "b" });
  await until(async () => (await writeOnce()).status === 200, SOON);
  assert.equal((await reader.next(SOON)).data["data"], "b");
  await write(pid, "c");
  assert.equal((await reader.next(SOON)).data["data"], "c");
});

test("a journal that nobody follows keeps no mark", async () => {
  await write("diary/alone", "a");
  const redis = cluster.redis.connect();
  try {
    const [record = ""] = await redis.keys("*proc:diary/alone");
    assert.equal(await redis.hget(record, "m"), null);
  } finally {
    redis.disconnect();
  }
});
