import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { assertNoChildLeft, type Child } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Gateway, GatewayCluster } from "./gateway-cluster.ts";
import { request, type Step } from "./model/messages.ts";

const WITHIN = { withinMs: 20_000 };
const TWO = { method: "/model.Two/Call" };
const VALUE = { method: "/model.Value/Process" };
const ACT = { method: "/model.Act/Unary" };
const world = new GatewayCluster();
let model: Child;
let gateway: Gateway;

before(async () => {
  await world.start();
  ({ model, gateway } = await world.startServed());
});
after(async () => {
  await world.stop();
  assertNoChildLeft();
});

const call = (id: string, ...script: Step[]) => gateway.call(request(id, ...script));
const heard = (entity: string, msg = "command") =>
  model.records.filter((record) => record["msg"] === msg && record["entity"] === entity);

test("emitted events make the state, and only the reply that crosses five has a snapshot", async () => {
  await call("abcde", { emit: "A" });
  await call("abcde", { emit: "B" }, { emit: "C" }, { emit: "D" });
  assert.equal(await call("abcde", { emit: "E" }), "ABCDE");
});

test("a command is forwarded to another entity, whose answer the caller gets; the events are kept", async () => {
  await call("forwarder", { emit: "A" }, { forward: "forwarded" });
  assert.equal(heard("forwarded").length, 1);
  assert.equal(await call("forwarder"), "A");
});

test("what is forwarded to nobody is an error for its caller", async () => {
  const [code, text] = await gateway.fail(request("lost", { emit: "A" }, { forward: "x", service: "model.Absent" }));
  assert.equal(code, status.UNKNOWN);
  assert.equal(text, "Service [model.Absent] unknown");
  assert.equal(await call("lost"), "A", "its events are kept");
});

test("a synchronous side effect is done before the reply", async () => {
  const effect: Step = { effect: "sync-target", isSync: true, script: [{ waitMs: 200 }, { emit: "done" }] };
  await call("sync", { emit: "A" }, effect);
  assert.equal(heard("sync-target").length, 1);
  const journals = await world.cluster.redis.connect().keys(`${world.cluster.keyPrefix}:*:journal:two/sync-target`);
  assert.equal(journals.length, 1, "it was handled before");
});

test("other side effects are done after it, once", async () => {
  await call("async", { emit: "A" }, { effect: "async-target", script: [{ emit: "x" }] });
  await until(() => heard("async-target").length > 0, { ...WITHIN, what: "the effect is done" });
  assert.equal(await gateway.call(request("async-target"), TWO), "x");
});

test("a side effect of a side effect, and one that is forwarded, are done too", async () => {
  const deep: Step = { effect: "deep-2", service: "model.Model", script: [{ emit: "2" }] };
  await call("deep", { effect: "deep-1", script: [{ emit: "1" }, deep, { forward: "deep-3" }] });
  await until(() => heard("deep-2").length > 0 && heard("deep-3").length > 0, { ...WITHIN, what: "all are done" });
  assert.equal(await call("deep-2"), "2");
});

test("a side effect that fails is told, and changes nothing for its caller", async () => {
  const failing: Step = { effect: "failing-target", isSync: true, script: [{ fail: "not today" }] };
  assert.equal(await call("careless", { emit: "A" }, failing), "A");
  const isTold = ({ msg, message }: Record<string, unknown>) => msg === "reported" && /not today/.test(String(message));
  await model.untilRecord(isTold, { ...WITHIN, what: "the failure is reported" });
  const later: Step = { effect: "failing-later", script: [{ fail: "nor tomorrow" }] };
  assert.equal(await call("careless", { emit: "B" }, later), "AB");
  await model.untilRecord(({ message }) => /nor tomorrow/.test(String(message)), { ...WITHIN, what: "this one too" });
  assert.equal(heard("failing-later").length, 1, "it is not tried again");
});

test("a failed command does nothing of what it asked for", async () => {
  const effect: Step = { effect: "never", script: [{ emit: "x" }] };
  const failed = await gateway.fail(request("fails", { emit: "A" }, effect, { fail: "expected failure" }));
  assert.deepEqual(failed, [status.UNKNOWN, "expected failure"]);
  assert.equal(await call("fails", { emit: "B" }), "B");
  assert.equal(heard("never").length, 0);
});

test("a failure that is not the client's ends the entity: Unexpected entity failure, the details are told elsewhere", async () => {
  await call("crashing", { emit: "A" });
  assert.deepEqual(await gateway.fail(request("crashing", { misbehave: "failure" })), [
    status.UNKNOWN,
    "Unexpected entity failure",
  ]);
  await model.untilRecord(({ message }) => /a failure of its own/.test(String(message)), {
    ...WITHIN,
    what: "it is told",
  });
  assert.equal(await call("crashing", { emit: "B" }), "AB");
  assert.equal(heard("crashing", "init").length, 2);
});

for (const [name, step, text] of [
  ["for the client", { fail: "again, please", restarts: true }, "again, please"],
  ["of its own", { misbehave: "failure-restart" }, "start me again"],
] as const) {
  test(`a failure with restart, ${name}, replays the entity and keeps the commands that wait, in order`, async () => {
    const id = `restarted ${name}`;
    await call(id, { emit: "A" });
    const failing = gateway.fail(request(id, { waitMs: 300 }, step));
    await until(() => heard(id).length === 2, WITHIN);
    const waiting = Array.from("BCD", (letter) => call(id, { emit: letter }));
    assert.deepEqual(await failing, [status.UNKNOWN, text]);
    assert.deepEqual(await Promise.all(waiting), ["AB", "ABC", "ABCD"]);
    assert.equal(heard(id, "init").length, 2);
  });
}

test("a value entity has its value again when it wakes; deleted, it has none", async () => {
  const set = (id: string, ...script: Step[]) => gateway.call(request(id, ...script), VALUE);
  const breakIt = (id: string) => gateway.fail(request(id, { misbehave: "end" }), VALUE);
  assert.equal(await set("v", { set: "one" }), "one");
  assert.equal(await set("v", { set: "two" }), "two");
  await breakIt("v");
  assert.equal(await set("v"), "two");
  assert.deepEqual(await gateway.fail(request("v", { set: "lost" }, { fail: "no" }), VALUE), [status.UNKNOWN, "no"]);
  assert.equal(await set("v"), "two");
  assert.equal(await set("v", { set: null }), "");
  await breakIt("v");
  assert.equal(await set("v"), "");
  const texts = heard("v", "init").map(({ text }) => text);
  assert.deepEqual(texts, ["", "two", ""]);
});

test("a value entity of an id too long for a name has its value again", async () => {
  const id = "x".repeat(300);
  await gateway.call(request(id, { set: "one" }), VALUE);
  await gateway.fail(request(id, { misbehave: "end" }), VALUE);
  assert.equal(await gateway.call(request(id), VALUE), "one");
});

test("a unary action is called straight; it may fail, forward and have side effects", async () => {
  assert.equal(await gateway.call(request("hello"), ACT), "hello");
  assert.deepEqual(await gateway.fail(request("x", { fail: "no" }), ACT), [status.UNKNOWN, "no"]);
  await gateway.call(request("x", { forward: "from-action" }), ACT);
  assert.equal(heard("from-action").length, 1);
  await gateway.call(request("x", { effect: "by-action", isSync: true }), ACT);
  assert.equal(heard("by-action").length, 1);
});

test("an entity's side effect on an action is done, with and without somebody who waits", async () => {
  const acted = (id: string) =>
    model.records.filter((record) => record["msg"] === "action" && record["id"] === id).length;
  await call("acting", { effect: "act-now", service: "model.Act", isSync: true });
  assert.equal(acted("act-now"), 1);
  await call("acting", { effect: "act-later", service: "model.Act" });
  await until(() => acted("act-later") === 1, { ...WITHIN, what: "the action is called" });
  const nested: Step = { effect: "act-nested", service: "model.Act" };
  await call("acting", { effect: "between", script: [nested] });
  await until(() => acted("act-nested") === 1, { ...WITHIN, what: "the nested one is called" });
});

test("a streamed method of an action is refused by name, and UNIMPLEMENTED", async () => {
  const isTold = ({ msg, reason }: Record<string, unknown>) =>
    msg === "discovery.refused" && reason === "model.Act.Streamed: streamed methods are not supported";
  await gateway.child.untilRecord(isTold, { ...WITHIN, what: "it is refused" });
  assert.equal((await gateway.fail(request("x"), { method: "/model.Act/Streamed" }))[0], status.UNIMPLEMENTED);
});
