import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** What an operator does to many processes, over HTTP: lists, batches, bulk acts, groups. */

const cluster = new TestCluster({ sessionTtlMs: 6_000 });
const { client } = cluster;
const SOON = { withinMs: 5_000, everyMs: 5 };
const RED = Array.from({ length: 12 }, (_, index) => `stack/red-${index}`).sort();

before(async () => {
  await cluster.start();
  const tagged = (module: string, key: string, tags: string[]) => client.start(module, key, { options: { tags } });
  const starts = [
    ...RED.map((pid) => tagged("stack", pid.slice("stack/".length), ["red", "all"])),
    tagged("stack", "blue", ["blue", "all"]),
    tagged("accumulator", "plain", []),
  ];
  for (const { status } of await Promise.all(starts)) assert.equal(status, 201);
});
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

async function list(query: string): Promise<string[]> {
  const pids: string[] = [];
  for (let cursor = ""; ; ) {
    const { status, body } = await client.get(`/v1/processes?${query}${cursor && `&cursor=${cursor}`}`);
    assert.equal(status, 200, JSON.stringify(body));
    pids.push(...(body["processes"] as { pid: string }[]).map(({ pid }) => pid));
    if (body["nextCursor"] === undefined) return pids.sort();
    cursor = encodeURIComponent(String(body["nextCursor"]));
  }
}

const bulk = (body: object, options?: { idempotencyKey?: string }) => client.request("POST", "/v1/bulk", body, options);

test("a list can be cut to a tag and to an owner, a session or a node, at any page size", async () => {
  for (const limit of [1, 5, 100]) assert.deepEqual(await list(`tag=red&limit=${limit}`), RED);
  assert.deepEqual(await list("tag=all&module=stack"), ["stack/blue", ...RED]);
  assert.deepEqual(await list("tag=re"), []);
  const { owner, tags } = (await client.read("stack/blue")).body as { owner: string; tags: string[] };
  assert.deepEqual(tags, ["blue", "all"]);
  for (const name of [owner, owner.split("#")[0]]) {
    assert.deepEqual(await list(`tag=blue&owner=${encodeURIComponent(name ?? "")}`), ["stack/blue"]);
  }
  assert.deepEqual(await list("owner=worker@nobody"), []);
  for (const query of ["tag=", "owner=", `tag=${"x".repeat(65)}`]) {
    assertProblem(await client.get(`/v1/processes?${query}`), "400 invalid_request");
  }
});

test("a batch leaves its casts in order, each with a result of its own", async () => {
  await client.start("notebook", "batched");
  const casts: object[] = Array.from({ length: 200 }, (_, index) => ({ pid: "notebook/batched", message: index }));
  casts.splice(100, 0, { module: "notebook", key: "nobody", message: "lost" });
  const key = { idempotencyKey: "batch-1" };
  const { status, body } = await client.request("POST", "/v1/batch", { casts }, key);
  const results = body["results"] as { messageId?: string; problem?: { code: string; status: number } }[];
  assert.deepEqual([status, body["accepted"], results.length], [200, 200, 201]);
  assert.deepEqual([results[100]?.problem?.code, results[100]?.problem?.status], ["no_process", 404]);
  const again = await client.request("POST", "/v1/batch", { casts }, key);
  assert.deepEqual(
    (again.body["results"] as typeof results).map(({ messageId }) => messageId),
    results.map(({ messageId }) => messageId),
  );
  const notes = (await client.call("notebook/batched", "read")).body["reply"] as { text: number }[];
  assert.deepEqual(
    notes.map(({ text }) => text),
    Array.from({ length: 200 }, (_, index) => index),
  );
});

test("a batch that is malformed sends nothing", async () => {
  const good = { pid: "notebook/batched", message: 1 };
  const wrong = [
    { casts: [] },
    { casts: Array(1_001).fill(good) },
    { casts: [good, { ...good, module: "notebook" }] },
    { casts: [good, { message: 1 }] },
    { casts: [good, { pid: "notebook", message: 1 }] },
    { casts: [good, { pid: "notebook/a b", message: 1 }] },
    { casts: [good, { ...good, extra: 1 }] },
    { casts: [good, { ...good, delayMs: -1 }] },
  ];
  for (const body of wrong) assertProblem(await client.request("POST", "/v1/batch", body), "400 invalid_request");
  const notes = (await client.call("notebook/batched", "read")).body["reply"] as unknown[];
  assert.equal(notes.length, 200);
});

test("a dry run counts; a bulk act acts on all that match, and only on those", async () => {
  const filter = { tag: "red" };
  assert.deepEqual((await bulk({ action: "kill", filter, dryRun: true })).body, { matched: 12, done: 0, failed: [] });
  assert.deepEqual((await bulk({ action: "pause", filter })).body, { matched: 12, done: 12, failed: [] });
  assert.deepEqual(await list("status=paused"), RED);
  const { processes } = (await client.get("/v1/cluster")).body as { processes: Record<string, number> };
  assert.equal(processes["paused"], 12);
  assert.deepEqual((await bulk({ action: "resume", filter: { status: "paused" } })).body["done"], 12);
  assert.deepEqual(await list("status=paused"), []);
});

test("what a process refuses is named, and the others are not held up", async () => {
  await client.stop("stack/red-0", { reason: "kept" });
  const { body } = await bulk({ action: "pause", filter: { tag: "red" } });
  assert.deepEqual(body, { matched: 12, done: 11, failed: [{ pid: "stack/red-0", code: "no_process" }] });
  await bulk({ action: "resume", filter: { all: true } });
});

test("dead letters are tried again and dropped in bulk", async () => {
  await client.start("troublemaker", "bulk", { options: { tags: ["letters"] } });
  await client.cast("troublemaker/bulk", { do: "throw" });
  const count = async () =>
    ((await client.get("/v1/processes/troublemaker/bulk/dead-letters")).body["deadLetters"] as unknown[]).length;
  await until(async () => (await count()) === 1, SOON);
  const filter = { tag: "letters" };
  assert.equal((await bulk({ action: "retry-dead-letters", filter })).body["done"], 1);
  await until(async () => (await count()) === 1, SOON);
  assert.equal((await bulk({ action: "drop-dead-letters", filter })).body["done"], 1);
  assert.equal(await count(), 0);
});

test("kill and stop in bulk end what matches", async () => {
  assert.equal((await bulk({ action: "stop", filter: { tag: "blue" }, reason: "shutdown" })).body["done"], 1);
  assertProblem(await client.read("stack/blue"), "404 no_process");
  const { body } = await bulk(
    { action: "kill", filter: { module: "stack", status: "idle" } },
    { idempotencyKey: "kill" },
  );
  assert.deepEqual(body, { matched: 11, done: 11, failed: [] });
  assert.deepEqual(await list("status=stopped"), RED);
});

test("a filter is named, or said to be all; a reason belongs to an end", async () => {
  const wrong = [
    { action: "pause" },
    { action: "pause", filter: {} },
    { action: "pause", filter: { all: false } },
    { action: "pause", filter: { all: true, tag: "red" } },
    { action: "pause", filter: { colour: "red" } },
    { action: "wipe", filter: { all: true } },
    { action: "pause", filter: { all: true }, reason: "because" },
    { action: "pause", filter: { all: true }, cursor: "no-cursor" },
  ];
  for (const body of wrong) assertProblem(await bulk(body), "400 invalid_request");
});

test("a group's members are listed, and a publication reaches each that is there", async () => {
  await Promise.all([client.start("notebook", "g1"), client.start("notebook", "g2")]);
  const keys = new Keys(cluster.keyPrefix, 64);
  const redis = cluster.redis.connect();
  await redis.hset(keys.group("readers"), "notebook/g1", 1, "notebook/g2", 1, "notebook/gone", 1);
  const { body } = await client.get("/v1/groups/readers");
  assert.deepEqual((body["members"] as string[]).sort(), ["notebook/g1", "notebook/g2", "notebook/gone"]);
  const publish = () =>
    client.request("POST", "/v1/groups/readers/publish", { message: "news" }, { idempotencyKey: "p1" });
  const published = { sent: 2, failed: [{ pid: "notebook/gone", code: "no_process" }] };
  assert.deepEqual((await publish()).body, published);
  assert.deepEqual((await publish()).body, published);
  for (const pid of ["notebook/g1", "notebook/g2"]) {
    const notes = (await client.call(pid, "read")).body["reply"] as { kind: string; text: string }[];
    assert.deepEqual(
      notes.map(({ kind, text }) => [kind, text]),
      [["info", "news"]],
    );
  }
  assert.deepEqual((await client.get("/v1/groups/nobody")).body, { members: [] });
  assertProblem(await client.get("/v1/groups/a%20b"), "400 invalid_request");
  assertProblem(await client.get(`/v1/groups/${"g".repeat(10_000)}`), "400 invalid_request");
  assertProblem(await client.get("/v1/groups/readers?cursor=x"), "400 invalid_request");
});
