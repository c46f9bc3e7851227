import assert from "node:assert/strict";
import { test } from "node:test";
import { type Context, noreply, reply } from "genserverless";
import stack from "./stack.ts";

const from = { messageId: "0-1" };
const ctx = {} as Context;

test("starts from a list, and empty without one", () => {
  assert.deepEqual(stack.init(["hello"], ctx), ["hello"]);
  assert.deepEqual(stack.init(undefined, ctx), []);
  assert.deepEqual(stack.init(null, ctx), []);
});

test("does not start from anything else", () => {
  for (const stranger of ["hello", 1, {}, false]) {
    assert.throws(() => stack.init(stranger, ctx), { name: "TypeError", message: /^stack starts from a list, not / });
  }
});

test("pushes onto the top", () => {
  assert.deepEqual(stack.handleCast?.({ push: "world" }, ["hello"], ctx), noreply(["world", "hello"]));
});

test("takes null, false and a list as elements", () => {
  for (const element of [null, false, []]) {
    assert.deepEqual(stack.handleCast?.({ push: element }, [1], ctx), noreply([element, 1]));
  }
});

test("pops the top", () => {
  assert.deepEqual(stack.handleCall?.("pop", from, ["world", "hello"], ctx), reply("world", ["hello"]));
});

test("peeks at the top and tells its size without a change of state", () => {
  const state = ["world", "hello"];
  assert.deepEqual(stack.handleCall?.("peek", from, state, ctx), reply("world", state));
  assert.deepEqual(stack.handleCall?.("size", from, state, ctx), reply(2, state));
});

test("pops and peeks null when it is empty, and stays empty", () => {
  assert.deepEqual(stack.handleCall?.("pop", from, [], ctx), reply(null, []));
  assert.deepEqual(stack.handleCall?.("peek", from, [], ctx), reply(null, []));
});

test("throws for messages it does not know", () => {
  assert.throws(() => stack.handleCall?.("push" as never, from, [], ctx), {
    message: /pop, peek and size, not "push"$/,
  });
  assert.throws(() => stack.handleCast?.({ pop: 1 } as never, [], ctx), {
    message: /takes \{ push \}, not \{"pop":1\}$/,
  });
  assert.throws(() => stack.handleCast?.(null as never, [], ctx), { name: "TypeError" });
});
