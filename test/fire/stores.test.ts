import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "pg";
import { assertProblem } from "../http/problem.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { PostgresServer } from "../tools/postgres-server.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** States that lie in Postgres, in two tables, beside states that lie in Redis: what a death, or a store that is away, costs. */

const postgres = new PostgresServer();
const SOON = { withinMs: 60_000 };
let cluster: TestCluster;

before(async () => {
  await postgres.start();
  const attic = new URL(postgres.url);
  attic.searchParams.set("table", "attic_states");
  cluster = new TestCluster({
    workers: 2,
    modulesDir: join(import.meta.dirname, "../store-modules"),
    sessionTtlMs: 2_000,
    redis: { appendfsync: "always" },
    env: { STATE_STORES: `cold=${postgres.url};attic=${attic.href}`, DRAIN_MS: "50" },
  });
  await cluster.start();
});
after(async () => {
  await cluster.stop();
  await postgres.stop();
  assertNoChildLeft();
});

async function add(pid: string, ...numbers: number[]): Promise<void> {
  for (const number of numbers) assert.equal((await cluster.client.cast(pid, number)).status, 202);
}

async function readTotal(pid: string, timeoutMs = 60_000): Promise<unknown> {
  const { status, body } = await cluster.client.call(pid, "total", { timeoutMs });
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

/** What the record holds of the state. */
async function readRecordText(pid: string): Promise<string> {
  const client = cluster.redis.connect();
  const [key] = await client.keys(`*:proc:${pid}`);
  assert.ok(key, `${pid} has no record`);
  return (await client.hget(key, "d")) ?? "";
}

test("PG-10, GS-12: modules keep their states in two stores and in Redis, side by side", async () => {
  for (const module of ["cold", "attic", "plain"]) {
    const pid = `${module}/a`;
    await cluster.client.start(module, "a");
    await add(pid, 1, 2, 3);
    assert.equal(await readTotal(pid), 6);
    const text = await readRecordText(pid);
    assert.match(text, module === "plain" ? /^\{/ : new RegExp(`^@${module} `));
    assert.deepEqual((await cluster.client.read(pid)).body["state"], { total: 6, ballast: "" });
  }
});

test("PG 2.3: a state in a store is read back after its process slept, its worker died and Redis restarted", async () => {
  await until(async () => (await cluster.client.read("cold/a")).body["owner"] === null, SOON);
  assert.equal(await readTotal("cold/a"), 6);
  await add("cold/a", 4);
  for (const worker of cluster.workers) await worker.kill();
  await cluster.redis.kill();
  await cluster.redis.restart();
  await cluster.addWorker();
  await cluster.untilReady();
  assert.equal(await readTotal("cold/a", 60_000), 10);
});

test("a store that is away holds its processes up and no others, and nothing is lost or done twice", async () => {
  await cluster.client.start("cold", "b");
  assert.equal(await readTotal("cold/b"), 0);
  await postgres.kill();
  await add("cold/b", 1, 10, 100);
  assertProblem(await cluster.client.call("cold/b", "total", { timeoutMs: 500 }), "504 call_timeout");
  await add("plain/a", 1);
  assert.equal(await readTotal("plain/a"), 7);
  await postgres.restart();
  await until(async () => (await readTotal("cold/b")) === 111, SOON);
  assert.deepEqual((await cluster.client.get("/v1/processes/cold/b/dead-letters")).body, { deadLetters: [] });
});

test("a large state costs Redis its reference only", async () => {
  await cluster.client.start("attic", "large");
  assert.equal((await cluster.client.cast("attic/large", "x".repeat(900_000))).status, 202);
  assert.equal(await readTotal("attic/large"), 0);
  assert.ok((await readRecordText("attic/large")).length < 100);
});

test("a state that its module does not keep is forgotten in its store when another process kills it", async () => {
  await cluster.client.start("fleeting", "a");
  await add("fleeting/a", 1);
  assert.equal(await readTotal("fleeting/a"), 1);
  await using sql = await connect();
  const count = async () => {
    const { rows } = await sql.client.query(
      "SELECT 1 FROM genserverless_states WHERE pid = 'fleeting/a' AND NOT has_ended",
    );
    return rows.length;
  };
  assert.ok((await count()) > 0);
  await cluster.client.cast("plain/a", { kill: "fleeting/a" });
  await until(async () => (await count()) === 0, SOON);
  assert.equal((await cluster.client.read("fleeting/a")).status, 404);
});

async function connect() {
  const client = new Client(postgres.url);
  await client.connect();
  return { client, [Symbol.asyncDispose]: () => client.end() };
}

test("an export has the state itself, and an import of it goes on in the store", async () => {
  const { body: document } = await cluster.client.get("/v1/processes/attic/a/export");
  assert.deepEqual((document["state"] as { total: number }).total, 6);
  const imported = await cluster.client.request("POST", "/v1/processes/import", { document, pid: "attic/copy" });
  assert.equal(imported.status, 201, JSON.stringify(imported.body));
  await add("attic/copy", 5);
  assert.equal(await readTotal("attic/copy"), 11);
  assert.match(await readRecordText("attic/copy"), /^@attic /);
});
