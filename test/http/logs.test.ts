import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client } from "undici";
import { assertNoChildLeft } from "../tools/child.ts";
import { EventReader } from "../tools/event-reader.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** The log of all nodes, followed over HTTP. */

const cluster = new TestCluster({
  apis: 1,
  workers: 1,
  sessionTtlMs: 6_000,
  env: { LOG_LEVEL: "info", DRAIN_MS: "50" },
});
const { client } = cluster;
const SOON = { withinMs: 30_000 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const follow = (query: string, lastEventId?: string) =>
  EventReader.open(`${cluster.urls[0]}/v1/logs?${query}`, lastEventId);

test("GS-16 what a module logs is followed live, filtered by process, with its fields, node and level", async () => {
  await client.start("accumulator", "told");
  await client.start("accumulator", "other");
  await using reader = await follow("pid=accumulator/told&level=info");
  await client.stop("accumulator/other");
  await client.stop("accumulator/told");
  const { event, data } = await reader.nextWhere(({ data: { msg } }) => msg !== "accumulator init", SOON);
  assert.equal(event, "log");
  assert.deepEqual([data["pid"], data["module"], data["level"]], ["accumulator/told", "accumulator", "info"]);
  assert.match(String(data["node"]), /^worker@/);
  assert.ok(Date.parse(String(data["time"])) > 0 && String(data["reason"]) === "normal", JSON.stringify(data));
});

test("no field of a module passes for one of the cluster's, and none is lost", async () => {
  await client.start("troublemaker", "odd");
  await using reader = await follow("pid=troublemaker/odd&level=warn");
  const fields = { time: "noon", node: 7, level: 30, id: 1, pid: "accumulator/told", module: [], own: "kept" };
  await client.call("troublemaker/odd", { do: "log", fields });
  const { id, data } = await reader.next(SOON);
  const { time, node, ...said } = data;
  assert.match(String(time), /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/);
  assert.match(String(node), /^worker@/);
  const { own, ...nested } = fields;
  const head = { id, level: "warn", msg: "troublemaker says", pid: "troublemaker/odd", module: "troublemaker" };
  assert.deepEqual(said, { ...head, own, fields: nested });
});

test("a follower resumes after the last entry that it knows, and misses and doubles nothing", async () => {
  await client.start("troublemaker", "noisy");
  const first = await follow("pid=troublemaker/noisy");
  await client.call("troublemaker/noisy", { do: "sleep", ms: 1 });
  const { id } = await first.next(SOON);
  await first[Symbol.asyncDispose]();
  for (let time = 0; time < 3; time++) await client.call("troublemaker/noisy", { do: "sleep", ms: 1 });
  await using second = await follow("pid=troublemaker/noisy", id);
  for (let time = 0; time < 3; time++) assert.equal((await second.next(SOON)).data["msg"], "troublemaker sleeps");
  await client.call("troublemaker/noisy", { do: "sleep", ms: 1 });
  await second.next(SOON);
  assert.equal(second.count, 4);
});

test("GS-17 what happens in the cluster is there too: nodes that join and leave", async () => {
  await using reader = await follow("");
  const worker = await cluster.addWorker();
  const joined = await reader.nextWhere(({ data }) => data["msg"] === "session.registered", SOON);
  assert.equal(joined.data["node"], `worker@${worker.name.replace(/^.*@/, "")}`);
  await worker.stop();
  await reader.nextWhere(({ data }) => data["msg"] === "session.ended", SOON);
});

test("without follow the last entries are told and the answer ends", async () => {
  await until(async () => {
    await using reader = await follow("follow=false&tail=2&level=info");
    await reader.untilEnd();
    return reader.count === 2;
  }, SOON);
  await using none = await follow("follow=false&tail=0");
  await none.untilEnd();
  assert.equal(none.count, 0);
});

test("a HEAD of the log ends, and does not hold up what comes next on its connection", async () => {
  const connection = new Client(cluster.urls[0] ?? "", { headersTimeout: 10_000 });
  try {
    assert.equal((await connection.request({ method: "HEAD", path: "/v1/logs" })).statusCode, 200);
    assert.equal((await connection.request({ method: "GET", path: "/v1/cluster" })).statusCode, 200);
  } finally {
    await connection.destroy();
  }
});

test("a wrong level, tail, field or Last-Event-ID is refused by name", async () => {
  for (const [query, what] of [
    ["level=loud", /level/],
    ["tail=-1", /tail/],
    ["tail=99999", /tail/],
    ["colour=red", /colour/],
  ] as const) {
    const answer = await client.get(`/v1/logs?${query}`);
    assertProblem(answer, "400 invalid_request");
    assert.match(String(answer.body["detail"]), what);
  }
  const response = await fetch(`${cluster.urls[0]}/v1/logs`, { headers: { "last-event-id": "yesterday" } });
  assert.equal(response.status, 400);
});

test("a node that leaves ends its followers, so that they resume elsewhere", async () => {
  const leaving = await cluster.addApi();
  await cluster.untilReady();
  const reader = await EventReader.open(`${leaving.url}/v1/logs`);
  await leaving.stop();
  await reader.untilEnd();
});

test("while Redis is away a follower is refused at once, and may come back", async () => {
  await cluster.redis.kill();
  try {
    for (const query of ["follow=true", "follow=false"]) {
      await until(async () => (await fetch(`${cluster.urls[0]}/v1/logs?${query}`)).status === 503, SOON);
    }
  } finally {
    await cluster.redis.restart();
  }
});
