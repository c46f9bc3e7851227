import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { assertProblem } from "./problem.ts";

const cluster = new TestCluster();
const { client } = cluster;
const RESIDENTS = Array.from({ length: 300 }, (_, index) => `stack/resident-${index}`).sort();

interface Page {
  processes: { pid: string; module: string; status: string; state?: unknown }[];
  nextCursor?: string;
}

before(async () => {
  await cluster.start();
  const starts = RESIDENTS.map((pid) => client.start("stack", pid.slice("stack/".length)));
  assert.ok((await Promise.all(starts)).every(({ status }) => status === 201));
  await Promise.all([client.start("accumulator", "a"), client.start("accumulator", "b"), client.start("example", "e")]);
  await client.stop("accumulator/b", { reason: "kept" });
});
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

/** The pids of all pages, in their order. */
async function listAll(query: string, limit: number): Promise<string[]> {
  const pids: string[] = [];
  for (let cursor = ""; ; ) {
    const { status, body } = await client.get(`/v1/processes?${query}&limit=${limit}${cursor && `&cursor=${cursor}`}`);
    assert.equal(status, 200, JSON.stringify(body));
    const { processes, nextCursor } = body as unknown as Page;
    assert.ok(processes.length <= limit);
    pids.push(...processes.map(({ pid }) => pid));
    if (nextCursor === undefined) return pids;
    cursor = encodeURIComponent(nextCursor);
  }
}

test("pages of any size list each process exactly once", async () => {
  for (const limit of [7, 100, 1_000]) assert.deepEqual((await listAll("module=stack", limit)).sort(), RESIDENTS);
  assert.equal((await listAll("", 7)).length, 303);
});

test("pages of one list every process of a small module, and end", async () => {
  assert.deepEqual((await listAll("module=accumulator", 1)).sort(), ["accumulator/a", "accumulator/b"]);
});

test("who lives throughout is listed exactly once while others start and stop between the pages", async () => {
  let isOver = false;
  const churn = Array.from({ length: 4 }, async (_, lane) => {
    for (let round = 0; !isOver; round++) {
      const key = `guest-${(round * 37 + lane) % 500}-${lane}`;
      assert.equal((await client.start("stack", key)).status, 201);
      if (round % 3 > 0) assert.equal((await client.stop(`stack/${key}`)).status, 200);
    }
  });
  const listed = await listAll("module=stack", 7);
  isOver = true;
  await Promise.all(churn);
  assert.equal(new Set(listed).size, listed.length, "nobody is listed twice");
  assert.deepEqual(listed.filter((pid) => pid.startsWith("stack/resident-")).sort(), RESIDENTS);
});

test("a list can be cut to a module and to a status, and shows no state", async () => {
  assert.deepEqual(await listAll("status=stopped", 50), ["accumulator/b"]);
  assert.deepEqual(await listAll("status=stopped&module=stack", 50), []);
  assert.deepEqual(await listAll("status=idle&module=accumulator", 50), ["accumulator/a"]);
  assert.deepEqual(await listAll("module=accumulato", 50), []);
  assert.deepEqual(await listAll("module=nobody", 50), []);
  const { processes } = (await client.get("/v1/processes?module=accumulator")).body as unknown as Page;
  for (const { module, state } of processes) assert.deepEqual([module, state], ["accumulator", undefined]);
});

test("a list without a limit has pages of a hundred", async () => {
  const { processes, nextCursor } = (await client.get("/v1/processes?module=stack")).body as unknown as Page;
  assert.ok(processes.length === 100 && nextCursor);
});

const BAD_QUERIES = [
  "limit=0",
  "limit=1001",
  "limit=-1",
  "limit=7.5",
  "limit=many",
  "limit=7&limit=8",
  "status=asleep",
  "cursor=",
  "cursor=no-cursor",
  "cursor=OTk5OTk6",
  "module=",
  "page=2",
];

for (const query of BAD_QUERIES) {
  test(`a list refuses ${query}`, async () => {
    assertProblem(await client.get(`/v1/processes?${query}`), `400 invalid_${query === "module=" ? "pid" : "request"}`);
  });
}
