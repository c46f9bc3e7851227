import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import accumulator from "./accumulator.ts";

async function start(args?: unknown) {
  const kit = createKit({ modules: [accumulator] });
  return { kit, pid: await kit.start("accumulator", { key: "alice", args }) };
}

test("starts from a number", async () => {
  const { kit, pid } = await start(100);
  assert.deepEqual(kit.state(pid), { acc: 100, count: 0 });
});

test("starts from 0 when it is given anything else", async () => {
  for (const args of [undefined, null, "100", {}, true]) {
    const { kit, pid } = await start(args);
    assert.deepEqual(kit.state(pid), { acc: 0, count: 0 });
  }
});

test("adds and counts what is cast", async () => {
  const { kit, pid } = await start(100);
  await kit.cast(pid, 10);
  assert.deepEqual(kit.state(pid), { acc: 110, count: 1 });
});

test("replies the total without a change of state", async () => {
  const { kit, pid } = await start(130);
  assert.equal(await kit.call(pid, "total"), 130);
  assert.deepEqual(kit.state(pid), { acc: 130, count: 0 });
});

test("adds what is called and replies the new total", async () => {
  const { kit, pid } = await start(1);
  assert.equal(await kit.call(pid, { add: -0.5 }), 0.5);
  assert.deepEqual(kit.state(pid), { acc: 0.5, count: 1 });
});

test("throws for what is not a number and leaves its state alone", async () => {
  const { kit, pid } = await start(1);
  const refused = { code: "callback_failed", message: /TypeError: accumulator cannot add .* to 1$/ };
  const strangers = ["2", null, true, [], {}];
  for (const stranger of strangers) {
    await kit.cast(pid, stranger);
    await assert.rejects(kit.call(pid, { add: stranger }), refused);
    await assert.rejects(kit.call(pid, stranger), refused);
  }
  const reasons = kit.deadLetters(pid).map(({ reason }) => reason);
  assert.equal(reasons.filter((reason) => /TypeError: accumulator cannot add/.test(reason)).length, strangers.length);
  assert.deepEqual(kit.state(pid), { acc: 1, count: 0 });
});

test("throws rather than lose a total that no number can hold", async () => {
  const { kit, pid } = await start(Number.MAX_VALUE);
  await assert.rejects(kit.call(pid, { add: Number.MAX_VALUE }), { code: "callback_failed" });
  assert.equal(await kit.call(pid, "total"), Number.MAX_VALUE);
});

test("logs its start, its casts and its end", async () => {
  const { kit, pid } = await start(100);
  await kit.cast(pid, 10);
  await kit.stop(pid);
  assert.deepEqual(
    kit.logs.map(({ fields, text }) => [text, fields]),
    [
      ["accumulator init", { pid, initial: 100 }],
      ["accumulator cast", { pid, val: 10, acc: 110, count: 1 }],
      ["accumulator terminate", { pid, reason: "normal", final: 110, count: 1 }],
    ],
  );
});
