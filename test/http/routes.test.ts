import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";
import { whileStanding } from "./standing.ts";

/** Each route as its caller meets it, one after the other, on a cluster of two apis and two workers. */

const cluster = new TestCluster({ apis: 2, workers: 2, sessionTtlMs: 20_000, env: { DRAIN_MS: "50" } });
const { client } = cluster;
const SOON = { withinMs: 5_000 };
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test("start answers 201 after init, with the pid, its status and its path", async () => {
  const { status, body, headers } = await client.start("accumulator", "alice", { args: 100 });
  assert.equal(status, 201);
  assert.deepEqual(Object.keys(body), ["pid", "status"]);
  assert.equal(body["pid"], "accumulator/alice");
  assert.match(String(body["status"]), /^(idle|running)$/);
  assert.equal(headers["location"], "/v1/processes/accumulator/alice");
  assert.deepEqual((await client.read("accumulator/alice")).body["state"], { acc: 100, count: 0 });
});

test("start without a key makes one, and Location leads to the process", async () => {
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => client.request("POST", "/v1/processes", { module: "accumulator" })),
  );
  assert.equal(new Set(answers.map(({ body }) => body["pid"])).size, 10);
  for (const { status, body, headers } of answers) {
    assert.equal(status, 201);
    assert.match(String(body["pid"]), /^accumulator\/[A-Za-z0-9._~-]{16,}$/);
    assert.equal((await client.get(String(headers["location"]))).body["pid"], body["pid"]);
  }
});

test("start of a process that is there is 409, or 200 with ifExists return, and its state stays", async () => {
  await client.start("accumulator", "twice", { args: 1 });
  assertProblem(await client.start("accumulator", "twice", { args: 2 }), "409 already_started");
  const returned = await client.start("accumulator", "twice", { args: 2, ifExists: "return" });
  assert.deepEqual([returned.status, returned.body["pid"]], [200, "accumulator/twice"]);
  assert.equal(returned.headers["location"], "/v1/processes/accumulator/twice");
  assert.deepEqual((await client.read("accumulator/twice")).body["state"], { acc: 1, count: 0 });
});

test("start with ifExists return waits for an init that is under way", async () => {
  const read = () => client.read("notebook/slow");
  const { first, second } = await whileStanding(cluster.workers, async () => {
    const first = client.start("notebook", "slow", { args: { initMs: 600 } });
    await until(async () => (await read()).body["status"] === "starting", SOON);
    assertProblem(await client.start("notebook", "slow"), "409 already_started");
    return { first, second: client.start("notebook", "slow", { ifExists: "return" }) };
  });
  assert.equal((await second).status, 200);
  assert.deepEqual((await read()).body["state"], { notes: [] });
  assert.equal((await first).status, 201);
});

test("start of a module that nobody has is 404, and an init that fails or declines is 422 and leaves no process", async () => {
  assertProblem(await client.start("nobody", "there"), "404 unknown_module");
  for (const [init, what] of [
    ["throw", "422 init_failed"],
    ["nonsense", "422 init_failed"],
    ["stop", "422 init_stopped"],
  ] as const) {
    assertProblem(await client.start("troublemaker", `init-${init}`, { args: { init } }), what);
    assertProblem(await client.read(`troublemaker/init-${init}`), "404 no_process");
    assert.equal((await client.start("troublemaker", `init-${init}`)).status, 201, "its key is free");
  }
});

test("call answers with the reply and the message's id; cast and info are accepted and reach their callbacks", async () => {
  await client.start("notebook", "mail");
  const cast = await client.cast("notebook/mail", { any: ["json"] });
  const info = await client.info("notebook/mail", null);
  for (const { status, body } of [cast, info]) {
    assert.equal(status, 202);
    assert.deepEqual(Object.keys(body), ["messageId"]);
    assert.match(String(body["messageId"]), /^\d{1,2}-[0-9a-f-]{36}$/);
  }
  const { status, body } = await client.call("notebook/mail", "read");
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ["messageId", "reply"]);
  const notes = body["reply"] as { kind: string; text: unknown }[];
  assert.deepEqual(
    notes.map(({ kind, text }) => ({ kind, text })),
    [
      { kind: "cast", text: { any: ["json"] } },
      { kind: "info", text: null },
    ],
  );
});

test("a call that takes longer than its timeout is 504 with the id under which its outcome is found", async () => {
  await client.start("troublemaker", "late");
  const call = () => client.call("troublemaker/late", { do: "add" }, { timeoutMs: 100 });
  const late = await whileStanding(cluster.workers, call);
  assertProblem(late, "504 call_timeout");
  const message = await client.get(`/v1/messages/${late.body["messageId"]}?wait=5000`);
  assert.deepEqual([message.body["status"], message.body["reply"]], ["done", 1]);
});

test("stop answers with its reason after terminate; normal and shutdown wipe, any other reason keeps the state", async () => {
  for (const [given, reason] of [
    [undefined, "normal"],
    ["shutdown", "shutdown"],
  ] as const) {
    await client.start("accumulator", "stopped", { args: 7 });
    const { status, body } = await client.stop("accumulator/stopped", given === undefined ? {} : { reason: given });
    assert.deepEqual([status, body], [200, { reason }]);
    assertProblem(await client.read("accumulator/stopped"), "404 no_process");
  }
  await client.start("accumulator", "kept", { args: 7 });
  assert.deepEqual((await client.stop("accumulator/kept", { reason: "maintenance" })).body, { reason: "maintenance" });
  const { body } = await client.read("accumulator/kept");
  assert.deepEqual([body["status"], body["owner"], body["state"]], ["stopped", null, { acc: 7, count: 0 }]);
  assertProblem(await client.call("accumulator/kept", "total"), "404 no_process");
  assert.equal((await client.start("accumulator", "kept", { args: 0 })).status, 201);
  assert.equal((await client.call("accumulator/kept", "total")).body["reply"], 7);
});

test("GET of a process shows every field, and its state only when asked for", async () => {
  await client.start("accumulator", "seen", { args: 5 });
  await client.call("accumulator/seen", { add: 1 });
  const { status, body } = await client.read("accumulator/seen");
  assert.equal(status, 200);
  const { epoch, owner, startedAt, updatedAt, status: state, ...rest } = body;
  assert.deepEqual(rest, {
    pid: "accumulator/seen",
    module: "accumulator",
    key: "seen",
    moduleVersion: 1,
    revision: 2,
    turns: 2,
    tags: [],
    mailbox: { waiting: 0, delayed: 0, failed: 0 },
    state: { acc: 6, count: 1 },
  });
  assert.match(String(state), /^(idle|running)$/);
  assert.ok(Number(epoch) >= 1);
  const { nodes } = (await client.get("/v1/cluster")).body as { nodes: { id: string; role: string }[] };
  assert.ok(nodes.some(({ id, role }) => id === owner && role === "worker"));
  for (const moment of [startedAt, updatedAt]) assert.match(String(moment), ISO);
  assert.ok(String(startedAt) <= String(updatedAt));
  const without = (await client.read("accumulator/seen", { withState: false })).body;
  assert.equal("state" in without, false);
  assert.equal("state" in (await client.get("/v1/processes/accumulator/seen?state=false")).body, false);
});

test("the ETag is the revision: 304 while nothing was committed, and a new one afterwards", async () => {
  const pid = "accumulator/tagged";
  await client.start("accumulator", "tagged");
  const { headers, body } = await client.read(pid);
  const etag = String(headers["etag"]);
  assert.match(etag, new RegExp(`^"(.+-)?${body["revision"]}"$`));
  const ifNoneMatch = (tag: string) => client.read(pid, { headers: { "if-none-match": tag } });
  for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const unchanged = await ifNoneMatch(tag);
    assert.deepEqual([unchanged.status, unchanged.body, unchanged.headers["etag"]], [304, { text: "" }, etag]);
  }
  await client.call(pid, { add: 1 });
  const changed = await ifNoneMatch(etag);
  assert.equal(changed.status, 200);
  assert.notEqual(changed.headers["etag"], etag);
});
