import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingError } from "../service/env.ts";
import { Events } from "../service/events.ts";
import { Availability } from "./availability.ts";
import { readReference } from "./reference.ts";
import { StateStores } from "./state-stores.ts";
import { type Candidate, StoreUnavailable } from "./store.ts";
import { judgeState } from "./sweep.ts";

/** What of this room needs no store: the rule of the sweep, references, and when a store is left alone. */

const candidate: Candidate = { pid: "m/k", incarnation: 3, revision: 8, writeId: "mine", hasEnded: false };
const at = (incarnation: number, revision: number, text = "{}") => ({ incarnation, revision, text });

test("a state that its record refers to is current, whatever else the record says", () => {
  assert.equal(judgeState("cold", candidate, at(3, 8, "@cold 3 8 mine")), "current");
  assert.equal(judgeState("cold", candidate, at(4, 90, "@cold 3 8 mine")), "current");
  assert.equal(judgeState("cold", { ...candidate, hasEnded: true }, at(3, 8, "@cold 3 8 mine")), "current");
});

test("a state is past once its record has come to its revision with another", () => {
  assert.equal(judgeState("cold", candidate, at(3, 8, "@cold 3 8 other")), "past");
  assert.equal(judgeState("cold", candidate, at(3, 9, "@archive 3 8 mine")), "past");
  assert.equal(judgeState("cold", candidate, at(4, 0)), "past");
});

test("a state that is still to be committed is pending, however long its writer has been paused", () => {
  assert.equal(judgeState("cold", candidate, at(3, 7, "@cold 3 7 before")), "pending");
  assert.equal(judgeState("cold", candidate, at(2, 90)), "pending");
});

test("without a record only what has ended goes: Redis may have lost its data", () => {
  assert.equal(judgeState("cold", candidate, undefined), "unknown");
  assert.equal(judgeState("cold", { ...candidate, hasEnded: true }, undefined), "past");
});

test("a reference says where the state is", () => {
  const { store, at: found } = readReference("m/k", "@cold.v2 3 8 a-_9");
  assert.deepEqual([store, found], ["cold.v2", { pid: "m/k", incarnation: 3, revision: 8, writeId: "a-_9" }]);
  assert.throws(() => readReference("m/k", "@cold 3"), /record of m\/k has a malformed reference/);
});

test("a state in the record passes as it is, with no store set up", async () => {
  const stores = new StateStores([]);
  await stores.start();
  assert.equal(await stores.write("redis", { pid: "m/k", incarnation: 1, revision: 1 }, '{"a":1}'), '{"a":1}');
  assert.equal(await stores.resolve("m/k", '"@cold"'), '"@cold"');
  assert.equal(await stores.resolve("m/k", undefined), undefined);
  await stores.wipe("m/k", 1, '{"a":1}');
  await stores.sweep(async () => assert.fail("no store has anything to judge"));
  await stores.stop();
});

test("a store that this node does not have is named, at the start and later", async () => {
  const stores = new StateStores([]);
  stores.checkStores([{ name: "stack", store: "redis" }]);
  const check = () => stores.checkStores([{ name: "ledger", store: "cold" }]);
  assert.throws(
    check,
    new SettingError('STATE_STORES has no "cold", which the module ledger names as its store; known: redis'),
  );
  await assert.rejects(stores.resolve("m/k", "@cold 3 8 mine"), (error: Error) => {
    assert.ok(error instanceof StoreUnavailable && error.retryInMs > 0);
    assert.match(error.message, /"cold" cannot be used \(this node's STATE_STORES does not have it\)/);
    return true;
  });
});

test("a silent store is left alone twice as long each time, 10 s at most, and asked again after that", () => {
  const events = new Events();
  const told: string[] = [];
  events.listen(({ name }) => told.push(name));
  const availability = new Availability("cold", events);
  let now = 0;
  const pauses = Array.from({ length: 8 }, () => {
    const { retryInMs } = availability.noteSilence("gone", now);
    assert.throws(() => availability.check(now + retryInMs - 1), StoreUnavailable);
    assert.equal(availability.noteSilence("gone", now + 1).retryInMs, retryInMs - 1, "those under way count as one");
    now += retryInMs;
    availability.check(now);
    return retryInMs;
  });
  assert.deepEqual(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  availability.noteAnswer();
  availability.noteAnswer();
  assert.equal(availability.noteSilence("gone", now).retryInMs, 250);
  assert.deepEqual(told, ["store.unreachable", "store.reached", "store.unreachable"]);
});
