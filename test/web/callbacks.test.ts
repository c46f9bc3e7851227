import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { SECRET, WebApp } from "./web-app.ts";

/** GS-9: callbacks in a web app do what they would do in a worker. */

const app = await WebApp.create();
const cluster = new TestCluster({ env: { REMOTE_MODULES: app.endpoint, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 5_000 };

before(async () => {
  await app.start();
  await cluster.start();
});
after(async () => {
  await cluster.stop();
  await app.stop();
  assertNoChildLeft();
});

async function call(pid: string, message: unknown): Promise<unknown> {
  const { status, body } = await client.call(pid, message);
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

async function stateOf(pid: string): Promise<{ total: number; notes: unknown[] }> {
  return (await client.read(pid)).body["state"] as { total: number; notes: unknown[] };
}

test("GS-9 runs init, calls, casts, infos, continuations and terminate in the app", async () => {
  const started = await client.start("web-counter", "a", { args: { from: 10 } });
  assert.equal(started.status, 201, JSON.stringify(started.body));
  assert.equal(await call("web-counter/a", { add: 5 }), 15);
  await client.cast("web-counter/a", { add: { by: 2 } });
  await client.info("web-counter/a", { hello: 1 });
  assert.equal(await call("web-counter/a", "continues"), "continuing");
  assert.deepEqual(await call("web-counter/a", "notes"), [{ hello: 1 }, { more: 1 }]);
  await client.start("accumulator", "heir", { args: 0 });
  assert.equal((await client.stop("web-counter/a")).status, 200);
  await until(async () => (await call("accumulator/heir", "total")) === 17, SOON);
  const worker = cluster.workers[0];
  await worker?.untilRecord(
    ({ msg, pid, final }) => msg === "web-counter terminate" && pid === "web-counter/a" && final === 17,
    SOON,
  );
});

test("GS-9 leaves the state out where the app still has it, and sends it where it does not", async () => {
  await client.start("web-counter", "cached", { args: { from: 1 } });
  await call("web-counter/cached", { add: 1 });
  assert.deepEqual(
    (await app.seen()).last.slice(-2).map(({ callback, hasState }) => [callback, hasState]),
    [
      ["init", false],
      ["handleCall", false],
    ],
  );
  await app.stop();
  // When it has done this its worker knows that the connections have ended.
  await client.start("accumulator", "meanwhile");
  await app.start();
  assert.equal(await call("web-counter/cached", { add: 1 }), 3);
  const { last } = await app.seen();
  assert.deepEqual(
    last.map(({ hasState }) => hasState),
    [false, true],
  );
  assert.equal(last[0]?.body.includes("stateTag"), true);
});

test("GS-9 a callback that fails leaves no trace in the state that the app has kept", async () => {
  await client.start("web-counter", "failing", { args: { from: 5 } });
  const { status, body } = await client.call("web-counter/failing", "throws");
  assert.deepEqual([status, body["code"]], [500, "callback_failed"]);
  assert.match(String(body["detail"]), /web-counter\.calls\.throws threw RangeError: too much for the app/);
  assert.equal(await call("web-counter/failing", { add: 1 }), 6);
});

test("GS-9 a callback calls other processes: all that it asks at once is asked at once, and answered by position", async () => {
  await Promise.all(["x", "y", "z"].map((key, index) => client.start("accumulator", key, { args: index + 1 })));
  await client.start("web-counter", "asker");
  const pids = ["accumulator/x", "accumulator/y", "accumulator/z"];
  const before = (await app.seen()).count;
  const replied = (await call("web-counter/asker", { sum: pids })) as { both: number[]; third: number };
  assert.deepEqual([replied.both, replied.third], [[1, 2], 6]);
  assert.equal((await app.seen()).count - before, 3, "three runs of the callback: two, one, and to its end");
  await until(async () => (await call("accumulator/z", "total")) === 7, SOON);
  const logged = cluster.workers[0]?.records.filter(({ msg }) => msg === "asked three");
  assert.equal(logged?.length, 1, "what was logged is logged once");
});

test("GS-9 an error of what a callback asks is thrown in the app as it is in a worker", async () => {
  await client.start("web-counter", "lonely");
  const error = (await call("web-counter/lonely", "askNobody")) as { name: string; code: string; message: string };
  assert.deepEqual([error.name, error.code], ["CallError", "no_process"]);
  assert.match(error.message, /^no_process: /);
});

test("GS-9 a callback starts and stops processes, with the same keys whenever it runs", async () => {
  await client.start("web-counter", "starter");
  const replied = (await call("web-counter/starter", "startTwo")) as { started: string; total: number; later: string };
  assert.equal(replied.total, 7);
  assert.notEqual(replied.started, replied.later);
  assert.equal((await client.read(replied.started)).status, 404);
  await until(async () => (await client.read(replied.later)).status === 200, SOON);
  assert.equal(await call(replied.later, "total"), 1);
  assert.deepEqual((await client.read(replied.later)).body["tags"], ["of-web"]);
});

test("GS-9 a callback that asks something else when it runs again fails by that name", async () => {
  await client.start("accumulator", "other", { args: 0 });
  await client.start("web-counter", "fickle");
  const { status, body } = await client.call("web-counter/fickle", "asksAnew");
  assert.equal(status, 500);
  assert.match(String(body["detail"]), /question 1 is another one now .* call of accumulator\/other/);
});

test("GS-9 timers that are set in the app fire, and are cancelled by name in a later turn", async () => {
  await client.start("web-counter", "timed");
  const { unnamed, named } = (await call("web-counter/timed", "timers")) as { unnamed: string; named: string };
  assert.match(unnamed, /^~[0-9A-F]{16}$/);
  assert.equal(named, "once");
  await until(async () => (await stateOf("web-counter/timed")).notes.length === 2, SOON);
  assert.deepEqual((await stateOf("web-counter/timed")).notes, ["unnamed", "named"]);
  for (const name of ["often", "yearly"]) assert.equal(await call("web-counter/timed", { cancel: name }), true);
  for (const name of ["often", "never"]) assert.equal(await call("web-counter/timed", { cancel: name }), false);
});

test("GS-9 monitors, groups and tags are as in a worker", async () => {
  await client.start("accumulator", "watched");
  await client.start("web-counter", "watcher");
  const { ref } = (await call("web-counter/watcher", "ties")) as { ref: string };
  assert.deepEqual((await client.read("web-counter/watcher")).body["tags"], ["tagged"]);
  await client.stop("accumulator/watched");
  await until(async () => (await stateOf("web-counter/watcher")).notes.length === 1, SOON);
  const down = { type: "DOWN", ref, pid: "accumulator/watched", reason: "normal" };
  assert.deepEqual((await stateOf("web-counter/watcher")).notes, [down]);
  const { members } = (await call("web-counter/watcher", "ties")) as { members: string[] };
  assert.deepEqual(members, ["web-counter/watcher"]);
});

test("GS-9 a call is answered later, and a callback ends its process with a reply", async () => {
  await client.start("web-counter", "later");
  const answered = client.call("web-counter/later", "defers");
  await until(async () => (await stateOf("web-counter/later")).notes.length === 1, SOON);
  await client.cast("web-counter/later", { answer: "at last" });
  assert.equal((await answered).body["reply"], "at last");
  assert.equal(await call("web-counter/later", "ends"), "bye");
  await until(async () => (await client.read("web-counter/later")).body["status"] !== "running", SOON);
});

test("GS-9 init can decline, and a message is checked by the app's own validators", async () => {
  const refused = await client.start("web-counter", "declined", { args: { stop: true } });
  assert.deepEqual([refused.status, refused.body["code"]], [422, "init_stopped"]);
  await client.start("web-counter", "strict");
  const invalid = await client.call("web-counter/strict", { add: "x" });
  assert.deepEqual([invalid.status, invalid.body["code"]], [422, "invalid_message"], String(invalid.body["detail"]));
  assert.match(String(invalid.body["detail"]), /web-counter\.calls\.add/);
});

test("GS-9 what a callback asks for that the cluster does not have fails its turn", async () => {
  await client.start("web-counter", "wrong");
  const { body } = await client.call("web-counter/wrong", "startsNonsense");
  assert.match(String(body["detail"]), /there is no module "no-such-module"/);
  assert.equal(await call("web-counter/wrong", "total"), 0);
});

test("GS-9 a module that the cluster has itself stays its own; an error names both", async () => {
  await client.start("accumulator", "own", { args: 3 });
  assert.equal(await call("accumulator/own", "total"), 3);
  for (const node of [...cluster.workers, ...cluster.apis]) {
    const told = node.records.find(({ msg }) => msg === "module.broken");
    assert.equal(
      told?.["error"],
      `the module "accumulator" of ${app.endpoint} is also in MODULES_DIR, and that one is used`,
    );
  }
});
