import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ignore, type Next, noreply, ok, reply, stop } from "../returns.ts";
import { InvalidReturnError, type ReturningCallback, readReturn } from "./interpret.ts";

const read = (callback: ReturningCallback, value: unknown) => readReturn("counter", callback, value);
const going = (state: unknown, next?: Next, answer?: { reply: unknown }) => ({ kind: "continue", state, answer, next });
const stopping = (reason: string, state: unknown, answer?: { reply: unknown }) => ({
  kind: "stop",
  reason,
  state,
  answer,
});
const oneWay = ["handleCast", "handleInfo", "handleContinue"] as const;

test("reads init's bare state as ok", () => {
  assert.deepEqual(read("init", { n: 1 }), going({ n: 1 }));
  assert.deepEqual(read("init", ok({ n: 1 })), going({ n: 1 }));
});

test("reads any JSON value but nothing as init's bare state, whatever its fields are called", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (state) => {
      assert.deepEqual(read("init", state), going(state));
    }),
  );
  assert.deepEqual(read("init", { kind: "stop-start", reason: "no" }), going({ kind: "stop-start", reason: "no" }));
  assert.throws(() => read("init", undefined), /counter\.init returned undefined; legal returns are a state, ok\(/);
});

test("reads init's stop as a refusal", () => {
  assert.deepEqual(read("init", stop("no room")), { kind: "refuse", reason: "no room" });
});

test("reads init's ignore, which is no refusal", () => {
  assert.deepEqual(read("init", ignore()), { kind: "ignore" });
});

test("reads a handleCall without an answer, which comes later", () => {
  assert.deepEqual(read("handleCall", noreply(1)), going(1));
  assert.deepEqual(read("handleCall", noreply(1, { timeout: 5 })), going(1, { timeout: 5 }));
});

test("reads what comes next", () => {
  for (const timeout of [0, 1, 366 * 86_400_000]) {
    assert.deepEqual(read("init", ok(1, { timeout })), going(1, { timeout }));
  }
  assert.deepEqual(read("init", ok(1, "hibernate")), going(1, "hibernate"));
  assert.deepEqual(read("init", ok(1, { continue: [2] })), going(1, { continue: [2] }));
  assert.deepEqual(read("handleCall", reply("a", 1, "hibernate")), going(1, "hibernate", { reply: "a" }));
  for (const callback of oneWay)
    assert.deepEqual(read(callback, noreply(1, { continue: 2 })), going(1, { continue: 2 }));
});

test("reads the returns of handleCall", () => {
  assert.deepEqual(read("handleCall", reply("a", 1)), going(1, undefined, { reply: "a" }));
  assert.deepEqual(read("handleCall", reply(null, 1)), going(1, undefined, { reply: null }));
  assert.deepEqual(read("handleCall", stop("normal", "bye", 1)), stopping("normal", 1, { reply: "bye" }));
  assert.deepEqual(read("handleCall", stop("normal", 1)), stopping("normal", 1));
});

test("reads the returns of the callbacks that nobody waits for", () => {
  for (const callback of oneWay) {
    assert.deepEqual(read(callback, noreply(1)), going(1));
    assert.deepEqual(read(callback, stop("normal", 1)), stopping("normal", 1));
  }
});

test("refuses the return of another callback", () => {
  const strangers: [ReturningCallback, unknown[]][] = [
    ["init", [noreply(1), reply(1, 1), stop("a", 1), stop("a", 1, 1)]],
    ["handleCall", [ok(1), ignore(), stop("a")]],
    ...oneWay.map((callback): [ReturningCallback, unknown[]] => [
      callback,
      [ok(1), ignore(), reply(1, 1), stop("a"), stop("a", 1, 1)],
    ]),
  ];
  for (const [callback, returns] of strangers) {
    for (const value of returns) assert.throws(() => read(callback, value), InvalidReturnError);
  }
});

test("refuses a bare value everywhere but in init", () => {
  for (const callback of ["handleCall", ...oneWay] as const) {
    for (const value of [undefined, null, 1, "noreply", { n: 1 }, [1], () => 1, new Map()]) {
      assert.throws(() => read(callback, value), InvalidReturnError);
    }
  }
});

test("names the module, the callback, what it returned and the legal returns", () => {
  assert.throws(() => read("handleCast", { n: 1 }), {
    name: "InvalidReturnError",
    message: "counter.handleCast returned { n: 1 }; legal returns are noreply(state, next?), stop(reason, state)",
  });
  assert.throws(() => read("handleCall", ok(1)), {
    message:
      "counter.handleCall returned ok(state, next?); legal returns are " +
      "reply(value, state, next?), noreply(state, next?), stop(reason, reply, state), stop(reason, state)",
  });
});

test("names a handler in its place", () => {
  assert.throws(
    () => readReturn("counter", "handleCast", 5, "casts.add"),
    /^InvalidReturnError: counter\.casts\.add returned 5; /,
  );
  assert.throws(
    () => readReturn("counter", "handleCast", reply(1, 1), "casts.add"),
    /counter\.casts\.add returned reply\(/,
  );
});

test("shortens what it shows, whatever it is", () => {
  const endless: Record<string, unknown> = { text: "x".repeat(10_000) };
  endless["self"] = endless;
  const hostile = new Proxy({}, { get: () => assert.fail("read"), ownKeys: () => assert.fail("listed") });
  for (const value of [endless, "y".repeat(10_000), Array(10_000).fill(7), hostile]) {
    assert.throws(
      () => read("handleCast", { value }),
      (error: Error) => error instanceof InvalidReturnError && error.message.length < 300,
    );
  }
});

test("refuses a next that is none", () => {
  const timeouts = [-1, 1.5, "5", null, undefined, Infinity, 366 * 86_400_000 + 1].map((timeout) => ({ timeout }));
  for (const next of ["sleep", 5, null, {}, { continue: 1, timeout: 2 }, ...timeouts] as unknown as Next[]) {
    assert.throws(
      () => read("handleCast", noreply(1, next)),
      /noreply\(state, next\?\) with the next .*none of "hibernate", \{ continue: value \} and \{ timeout: ms \};/,
    );
  }
});

test("refuses a reason that is no text", () => {
  for (const reason of [undefined, null, 1, "", {}] as unknown as string[]) {
    assert.throws(() => read("init", stop(reason)), /with the reason .*not a text/);
    assert.throws(() => read("handleCast", stop(reason, 1)), InvalidReturnError);
    assert.throws(() => read("handleCall", stop(reason, 1, 1)), InvalidReturnError);
  }
});

test("tells stop's forms by how many values they were given", () => {
  assert.deepEqual(read("handleCast", stop("a", undefined)), stopping("a", undefined));
  assert.deepEqual(read("handleCall", stop("a", undefined, 1)), stopping("a", 1, { reply: undefined }));
});

test("returns cannot be changed after they were made", () => {
  for (const value of [ok(1), ignore(), reply(1, 1), noreply(1), stop("a"), stop("a", 1), stop("a", 1, 1)]) {
    assert.ok(Object.isFrozen(value));
  }
});
