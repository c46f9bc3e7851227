import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Context, noreply, reply } from "genserverless";
import accumulator from "./accumulator.ts";

const from = { messageId: "0-1" };
let logged: unknown[][] = [];

const write = (...line: unknown[]) => logged.push(line);
const ctx: Context = {
  pid: "accumulator/alice",
  module: "accumulator",
  key: "alice",
  messageId: "0-1",
  signal: new AbortController().signal,
  log: { debug: write, info: write, warn: write, error: write },
};

beforeEach(() => {
  logged = [];
});

test("starts from a number", () => {
  assert.deepEqual(accumulator.init(100, ctx), { acc: 100, count: 0 });
});

test("starts from 0 when it is given anything else", () => {
  for (const start of [undefined, null, "100", {}, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.deepEqual(accumulator.init(start, ctx), { acc: 0, count: 0 });
  }
});

test("adds and counts what is cast", () => {
  assert.deepEqual(accumulator.handleCast?.(10, { acc: 100, count: 0 }, ctx), noreply({ acc: 110, count: 1 }));
});

test("replies the total without a change of state", () => {
  const state = { acc: 130, count: 2 };
  assert.deepEqual(accumulator.handleCall?.("total", from, state, ctx), reply(130, state));
});

test("adds what is called and replies the new total", () => {
  const returned = accumulator.handleCall?.({ add: -0.5 }, from, { acc: 1, count: 2 }, ctx);
  assert.deepEqual(returned, reply(0.5, { acc: 0.5, count: 3 }));
});

test("throws for what is not a number and leaves its state alone", () => {
  const state = Object.freeze({ acc: 1, count: 1 });
  for (const stranger of ["2", null, undefined, true, [], {}, Number.NaN, Number.POSITIVE_INFINITY]) {
    const value = stranger as never;
    assert.throws(() => accumulator.handleCast?.(value, state, ctx), {
      name: "TypeError",
      message: /cannot add .* to 1$/,
    });
    assert.throws(() => accumulator.handleCall?.({ add: value }, from, state, ctx), { name: "TypeError" });
    assert.throws(() => accumulator.handleCall?.(value, from, state, ctx), { name: "TypeError" });
  }
});

test("throws rather than lose a total that no number can hold", () => {
  const state = { acc: Number.MAX_VALUE, count: 1 };
  assert.throws(() => accumulator.handleCast?.(Number.MAX_VALUE, state, ctx), { name: "TypeError" });
});

test("logs its start, its casts and its end", () => {
  accumulator.init(100, ctx);
  accumulator.handleCast?.(10, { acc: 100, count: 0 }, ctx);
  accumulator.terminate?.("normal", { acc: 130, count: 2 }, ctx);
  assert.deepEqual(logged, [
    [{ initial: 100 }, "accumulator init"],
    [{ val: 10, acc: 110, count: 1 }, "accumulator cast"],
    [{ reason: "normal", final: 130, count: 2 }, "accumulator terminate"],
  ]);
});
