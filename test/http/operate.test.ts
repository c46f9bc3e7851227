import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TEST_MODULES, TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";

/** What an operator does to single processes, over HTTP. */

const cluster = new TestCluster({ modulesDir: `${TEST_MODULES}:test/contract/modules` });
const { client } = cluster;
const SOON = { withinMs: 5_000, everyMs: 5 };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const act: typeof client.act = (...args) => client.act(...args);
const peek = async (pid: string) => (await client.get(`/v1/processes/${pid}/mailbox`)).body as unknown as Peek;
const statusOf = async (pid: string) => (await client.read(pid)).body["status"];
const readMessage = async (id: unknown, waitMs = 5_000) => (await client.get(`/v1/messages/${id}?wait=${waitMs}`)).body;
const letters = async (pid: string) =>
  (await client.get(`/v1/processes/${pid}/dead-letters`)).body["deadLetters"] as { messageId: string }[];
const codeOf = (message: Record<string, unknown>) => (message["error"] as { code: string } | undefined)?.code;

interface Peek {
  status: string;
  mailbox: Record<string, number>;
  running: { messageId: string; kind: string; message: unknown }[];
  waiting: { messageId: string; kind: string; message: unknown; queuedAt: string }[];
  delayed: { messageId: string; dueAt: string }[];
}

/** Paused, and no worker has it in memory any more. */
async function pause(pid: string): Promise<void> {
  assert.equal((await act(pid, "pause")).status, 200);
  await until(async () => (await client.read(pid)).body["owner"] === null, SOON);
}

test("a paused process keeps its mail and shows it, in order, and handles it when it is resumed", async () => {
  const pid = "notebook/paused";
  await client.start("notebook", "paused");
  const { status, body } = await act(pid, "pause");
  assert.deepEqual([status, body], [200, { pid, status: "paused" }]);
  assert.deepEqual((await act(pid, "pause", {})).body, body, "again, nothing changes");
  const sent = [];
  for (const text of ["one", "two"]) sent.push((await client.cast(pid, text)).body["messageId"]);
  await client.info(pid, "later", { delayMs: 3_600_000 });
  const { waiting, delayed, mailbox, running, ...rest } = await peek(pid);
  assert.deepEqual(
    waiting.map(({ messageId }) => messageId),
    sent,
  );
  assert.deepEqual(
    waiting.map(({ kind, message }) => [kind, message]),
    [
      ["cast", "one"],
      ["cast", "two"],
    ],
  );
  assert.ok(Math.abs(Date.parse(delayed[0]?.dueAt ?? "") - Date.now() - 3_600_000) < 60_000);
  assert.deepEqual([running, mailbox], [[], { waiting: 2, delayed: 1, failed: 0 }]);
  assert.deepEqual(rest, { pid, status: "paused", isCut: false });
  assert.equal(await statusOf(pid), "paused");
  const { processes } = (await client.get("/v1/cluster")).body as { processes: Record<string, number> };
  assert.equal(processes["paused"], 1);
  assert.equal((await act(pid, "resume")).status, 200);
  const reply = (await client.call(pid, "read")).body["reply"] as { text: string }[];
  assert.deepEqual(
    reply.map(({ text }) => text),
    ["one", "two"],
  );
  assert.equal((await act(pid, "resume")).body["status"], "idle");
});

test("a pause lets the turn under way end, and a call waits for the resume", async () => {
  const [pid, asked] = ["actor/halfway", "notebook/asked"];
  await Promise.all([client.start("actor", "halfway"), client.start("notebook", "asked")]);
  await pause(asked);
  const ask = { do: "call", pid: asked, message: "read", timeoutMs: 20_000 };
  const slow = client.call(pid, { run: [{ do: "note", note: "asks" }, ask] }, { timeoutMs: 20_000 });
  await until(async () => (await peek(asked)).waiting.length === 1, SOON);
  assert.equal((await peek(pid)).running.length, 1);
  await act(pid, "pause");
  const waits = client.call(pid, { run: [{ do: "notes" }] }, { timeoutMs: 20_000 });
  await act(asked, "resume");
  assert.deepEqual((await slow).body["reply"], []);
  await until(async () => (await client.read(pid)).body["owner"] === null, SOON);
  await until(async () => (await peek(pid)).waiting.length === 1, SOON);
  await act(pid, "resume");
  assert.deepEqual((await waits).body["reply"], ["asks"]);
});

test("a paused process is not lost with its workers", async () => {
  const pid = "notebook/orphan";
  await client.start("notebook", "orphan");
  await client.cast(pid, "before");
  await pause(pid);
  await client.cast(pid, "during");
  const [worker] = cluster.workers;
  await worker?.kill();
  await worker?.start();
  await cluster.untilBack();
  await act(pid, "resume");
  const reply = (await client.call(pid, "read", { timeoutMs: 20_000 })).body["reply"] as { text: string }[];
  assert.deepEqual(
    reply.map(({ text }) => text),
    ["before", "during"],
  );
});

test("skip drops the head of a paused process, tells its caller, and one request skips once", async () => {
  const pid = "notebook/skipped";
  await client.start("notebook", "skipped");
  assertProblem(await act(pid, "mailbox/skip"), "409 not_paused");
  await pause(pid);
  const calling = client.call(pid, "read");
  await until(async () => (await peek(pid)).waiting.length === 1, SOON);
  const { messageId } = (await client.cast(pid, "kept")).body;
  const key = { idempotencyKey: "skip-1" };
  const { status, body } = await act(pid, "mailbox/skip", {}, key);
  assert.deepEqual([status, body["kind"]], [200, "call"]);
  assert.deepEqual((await act(pid, "mailbox/skip", {}, key)).body, body);
  assertProblem(await calling, "409 skipped");
  assertProblem(await act(pid, "mailbox/skip", { messageId: body["messageId"] }), "404 unknown_message");
  assert.deepEqual((await act(pid, "mailbox/skip", { messageId })).body, { messageId, kind: "cast" });
  assertProblem(await act(pid, "mailbox/skip"), "404 unknown_message");
  assert.equal(codeOf(await readMessage(messageId)), "skipped");
});

test("kill ends a process that is in the middle of a turn, keeps its state, and answers its callers", async () => {
  const pid = "sleeper/killed";
  await client.start("sleeper", "killed");
  await client.call(pid, 0);
  const hanging = client.call(pid, 25_000, { timeoutMs: 20_000 });
  await until(async () => (await peek(pid)).running.length === 1, SOON);
  const behind = client.call(pid, 0, { timeoutMs: 20_000 });
  await until(async () => (await peek(pid)).waiting.length === 1, SOON);
  const { status, body } = await act(pid, "kill", { reason: "in the way" });
  assert.deepEqual([status, body], [200, { reason: "in the way", stateKept: true }]);
  for (const caller of [hanging, behind]) assertProblem(await caller, "404 no_process");
  const { body: stopped } = await client.read(pid);
  assert.deepEqual([stopped["status"], stopped["state"]], ["stopped", { calls: 1 }]);
  assertProblem(await act(pid, "kill"), "404 no_process");
  assert.equal((await client.start("sleeper", "killed")).status, 201);
  assert.equal((await client.call(pid, 0)).body["reply"], 2);
});

test("kill ends a start that does not end, and its caller is told", async () => {
  const starting = client.start("notebook", "endless", { args: { initMs: 20_000 } });
  await until(async () => (await statusOf("notebook/endless")) === "starting", SOON);
  assertProblem(await act("notebook/endless", "pause"), "409 not_started");
  assert.deepEqual((await act("notebook/endless", "kill")).body, { reason: "killed", stateKept: false });
  assertProblem(await starting, "404 no_process");
  assertProblem(await client.read("notebook/endless"), "404 no_process");
});

test("a dead letter is tried again under its id, or dropped for good", async () => {
  const pid = "troublemaker/letters";
  await client.start("troublemaker", "letters");
  const { messageId } = (await client.cast(pid, { do: "throw" })).body;
  assert.equal((await readMessage(messageId))["status"], "failed");
  await pause(pid);
  const retried = await act(pid, `dead-letters/${messageId}/retry`);
  assert.deepEqual([retried.status, retried.body], [200, { messageId, status: "queued" }]);
  assert.equal((await readMessage(messageId, 0))["status"], "queued");
  assert.deepEqual([await letters(pid), (await peek(pid)).waiting.length], [[], 1]);
  await act(pid, "resume");
  await until(async () => (await letters(pid)).length === 1, SOON);
  const path = `/v1/processes/${pid}/dead-letters/${messageId}`;
  assert.deepEqual((await client.request("DELETE", path)).body, { messageId, status: "dropped" });
  assertProblem(await client.request("DELETE", path), "404 unknown_message");
  assertProblem(await act(pid, `dead-letters/${messageId}/retry`), "404 unknown_message");
  assertProblem(await act(pid, "dead-letters/nonsense/retry"), "404 unknown_message");
  assertProblem(await act("troublemaker/nobody", `dead-letters/${messageId}/retry`), "404 no_process");
});

test("all dead letters of a process are tried again at once, or dropped at once", async () => {
  const pid = "troublemaker/many-letters";
  await client.start("troublemaker", "many-letters");
  for (let index = 0; index < 30; index++) await client.cast(pid, { do: "throw" });
  await until(async () => (await letters(pid)).length === 30, SOON);
  await pause(pid);
  assert.deepEqual((await act(pid, "dead-letters/retry")).body, { retried: 30 });
  assert.equal((await peek(pid)).mailbox["waiting"], 30);
  await act(pid, "resume");
  await until(async () => (await letters(pid)).length === 30, SOON);
  assert.deepEqual((await client.request("DELETE", `/v1/processes/${pid}/dead-letters`)).body, { dropped: 30 });
  assert.deepEqual(await letters(pid), []);
});

test("a process goes from one pid to another as a document, with its mail", async () => {
  const pid = "notebook/original";
  await client.start("notebook", "original", { options: { tags: ["moved"] } });
  await client.cast(pid, "handled");
  await client.call(pid, "read");
  await pause(pid);
  await client.cast(pid, "waits");
  await client.info(pid, "later", { delayMs: 400 });
  const exported = await client.get(`/v1/processes/${pid}/export`);
  assert.equal(exported.status, 200);
  const document = { ...exported.body, status: "idle" };
  const copy = "notebook/copy";
  const imported = await client.request("POST", "/v1/processes/import", { document, pid: copy });
  assert.deepEqual([imported.status, imported.body], [201, { pid: copy, status: "running" }]);
  assert.equal(imported.headers["location"], `/v1/processes/${copy}`);
  const read = async () => (await client.call(copy, "read")).body["reply"] as { kind: string; text: string }[];
  await until(async () => (await read()).length === 3, SOON);
  assert.deepEqual(
    (await read()).map(({ kind, text }) => [kind, text]),
    [
      ["cast", "handled"],
      ["cast", "waits"],
      ["info", "later"],
    ],
  );
  assert.deepEqual((await client.read(copy)).body["tags"], ["moved"]);
  assertProblem(await client.request("POST", "/v1/processes/import", { document, pid: copy }), "409 already_started");
  const again = { document, pid: copy, ifExists: "replace" };
  assert.equal((await client.request("POST", "/v1/processes/import", again)).status, 201);
  assert.equal((await client.get(`/v1/processes/${pid}`)).body["status"], "paused", "the original stays as it was");
});

test("a document of more than a body's usual size is imported; one that is none is refused", async () => {
  const document = {
    ...{ format: 1, pid: "notebook/large", status: "idle", moduleVersion: 1, revision: 1, turns: 1, options: {} },
    ...{ timers: {}, ties: {}, mailbox: [], state: { notes: [{ kind: "cast", text: "x".repeat(2_000_000), at: 1 }] } },
  };
  const send = (changed: object) =>
    client.request("POST", "/v1/processes/import", { document: { ...document, ...changed } });
  assert.equal((await send({})).status, 201);
  assertProblem(await send({ format: 2 }), "400 invalid_request");
  assertProblem(await send({ extra: 1 }), "400 invalid_request");
  assertProblem(await send({ timers: { t: { id: "x", dueAt: 1, cron: "no cron" } } }), "400 invalid_request");
  assertProblem(await send({ pid: "nobody/knows" }), "404 unknown_module");
});

const NOT_THERE = ["pause", "resume", "unquarantine", "kill", "mailbox/skip", "dead-letters/retry"];

test("an act on a process that is not there is 404, and what no act takes is 400", async () => {
  for (const what of NOT_THERE) {
    assertProblem(await act("notebook/nobody", what), "404 no_process");
    assertProblem(await act("notebook/paused", what, { unknown: 1 }), "400 invalid_request");
    assertProblem(await act("notebook/a%20b", what), "400 invalid_pid");
  }
  for (const what of ["mailbox", "export"]) {
    assertProblem(await client.get(`/v1/processes/notebook/nobody/${what}`), "404 no_process");
  }
  assertProblem(await act("notebook/paused", "kill", { reason: "" }), "400 invalid_request");
  assertProblem(await client.get("/v1/processes/notebook/paused/mailbox?limit=0"), "400 invalid_request");
});
