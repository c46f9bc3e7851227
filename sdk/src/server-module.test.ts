import assert from "node:assert/strict";
import { test } from "node:test";
import { noreply } from "./returns.ts";
import { defineServer, isServerModule } from "./server-module.ts";

const init = () => 0;
const define = (definition: object) => defineServer(definition as Parameters<typeof defineServer>[0]);

test("a module needs a name, a version and init, and gets the defaults for the rest", () => {
  const counter = defineServer({ name: "counter", version: 1, init });
  assert.equal(counter.name, "counter");
  assert.equal(counter.version, 1);
  assert.equal(counter.init, init);
  assert.equal(counter.turnTimeoutMs, 30_000);
  assert.equal(counter.idleAfterMs, 60_000);
  assert.equal(counter.handleCall, undefined);
  assert.equal(counter.onDemand, false);
  assert.equal(counter.keepState, "after-crash");
  assert.equal(counter.writePolicy, "every-turn");
  assert.deepEqual(counter.retry, { attempts: 1 });
  assert.deepEqual(counter.intensity, { crashes: 100, withinMs: 10_000 });
  assert.deepEqual(counter.mailbox, { messages: 10_000, bytes: 67_108_864 });
  assert.equal(counter.trapExit, false);
  assert.equal(counter.store, "redis");
});

test("a module keeps its callbacks and its options", () => {
  const handleCast = (n: number, state: number) => noreply(state + n);
  const counter = defineServer({
    name: "counter",
    version: 2,
    init,
    handleCast,
    turnTimeoutMs: 5,
    idleAfterMs: Infinity,
  });
  assert.equal(counter.handleCast, handleCast);
  assert.equal(counter.turnTimeoutMs, 5);
  assert.equal(counter.idleAfterMs, Infinity);
});

test("a module cannot be changed", () => {
  assert.ok(Object.isFrozen(defineServer({ name: "counter", version: 1, init })));
});

test("a module is told from everything else that a file may export", () => {
  assert.ok(isServerModule(defineServer({ name: "counter", version: 1, init })));
  for (const value of [undefined, null, 1, init, {}, { name: "counter", version: 1, init }]) {
    assert.ok(!isServerModule(value));
  }
});

test("a name that is no part of a pid is refused", () => {
  for (const name of [undefined, null, 1, "", ".", "..", "a/b", "a b", "ä", "a\n", "a".repeat(129)]) {
    assert.throws(() => define({ name, version: 1, init }), {
      name: "InvalidModuleError",
      message: /^module: name must be /,
    });
  }
  for (const name of ["a", "...", "A-z_0.9~", "a".repeat(128)])
    assert.equal(define({ name, version: 1, init }).name, name);
});

test("a version that is no positive whole number is refused", () => {
  for (const version of [undefined, null, 0, -1, 1.5, "1", Number.NaN, Infinity, 2 ** 53]) {
    assert.throws(
      () => define({ name: "counter", version, init }),
      /^InvalidModuleError: module counter: version must be /,
    );
  }
});

test("durations out of range are refused", () => {
  for (const field of ["turnTimeoutMs", "idleAfterMs"]) {
    for (const value of [null, 0, -1, 1.5, "5", Number.NaN, 2 ** 31]) {
      const definition = { name: "counter", version: 1, init, [field]: value };
      assert.throws(() => define(definition), new RegExp(`module counter: ${field} must be a whole number of ms`));
    }
  }
  assert.throws(() => define({ name: "counter", version: 1, init, turnTimeoutMs: Infinity }), /turnTimeoutMs must be/);
});

test("callbacks that are no functions are refused, and init must be there", () => {
  for (const callback of ["init", "handleCall", "handleCast", "handleInfo", "handleContinue", "terminate"]) {
    const definition = { name: "counter", version: 1, init, [callback]: {} };
    assert.throws(() => define(definition), new RegExp(`module counter: ${callback} must be a function, not {}`));
  }
  assert.throws(
    () => define({ name: "counter", version: 1 }),
    /module counter: init must be a function, not undefined/,
  );
});

test("options are taken in each of their forms, and undefined stands for the default", () => {
  const legal: Record<string, unknown[]> = {
    onDemand: [true, false],
    keepState: ["never", "after-crash", "always"],
    writePolicy: [
      "every-turn",
      "on-passivate",
      ...[{ turns: 5 }, { ms: 5 }, { turns: 5, ms: 5 }].map((every) => ({ every })),
    ],
    retry: [{ attempts: 1 }, { attempts: 2, backoff: 0 }, { attempts: 2, backoff: { type: "fixed", delay: 5 } }],
    intensity: [{ crashes: 1, withinMs: 1 }],
    trapExit: [true, false],
    store: ["postgres"],
  };
  for (const [field, values] of Object.entries(legal)) {
    for (const value of values) {
      const module: object = define({ name: "counter", version: 1, init, [field]: value });
      assert.equal((module as Record<string, unknown>)[field], value);
    }
    define({ name: "counter", version: 1, init, [field]: undefined });
  }
  const { mailbox } = define({ name: "counter", version: 1, init, mailbox: { messages: 5, bytes: undefined } });
  assert.deepEqual(mailbox, { messages: 5, bytes: 67_108_864 });
});

test("options that are none are refused by name", () => {
  const every = [{}, { turns: 0 }, { ms: 2 ** 31 }, { turns: undefined }, { hours: 1 }, 5, null];
  const illegal: Record<string, unknown[]> = {
    onDemand: [null, 1, "yes"],
    keepState: [null, true, "temporary"],
    writePolicy: [
      null,
      "never",
      {},
      { turns: 5 },
      { every: { turns: 1 }, more: 1 },
      ...every.map((each) => ({ every: each })),
    ],
    retry: [null, 3, [], {}, { attempts: 0 }, { attempts: undefined }, { backoff: 5 }, { attempts: 1, backoffMs: 5 }],
    intensity: [null, 5, {}, { crashes: 1 }, { crashes: 0, withinMs: 1 }, { crashes: undefined, withinMs: undefined }],
    mailbox: [null, 5, [], { messages: 0 }, { bytes: 1.5 }, { size: 5 }, { toString: 5 }],
    trapExit: [null, "true"],
    store: [null, "", "a/b"],
    codeChange: [5],
    dump: [{}],
    load: ["load"],
  };
  for (const backoff of [
    null,
    -1,
    "1 s",
    {},
    { delay: 5 },
    { type: "linear", delay: 5 },
    { type: "fixed", delay: -1 },
  ]) {
    illegal["retry"]?.push({ attempts: 2, backoff });
  }
  for (const [field, values] of Object.entries(illegal)) {
    for (const value of values) {
      const definition = { name: "counter", version: 1, init, [field]: value };
      assert.throws(
        () => define(definition),
        new RegExp(`^InvalidModuleError: module counter: ${field} must be `),
        field,
      );
    }
  }
});

test("unknown fields are refused by name", () => {
  assert.throws(() => define({ name: "counter", version: 1, init, handleCats: init }), {
    message:
      /^module counter: unknown field handleCats; known are name, version, turnTimeoutMs, .*init, handleCall, .*calls, casts, infos$/,
  });
});

test("what is no definition at all is refused", () => {
  for (const value of [undefined, null, 1, "counter", init, []]) {
    assert.throws(() => define(value as never), { name: "InvalidModuleError" });
  }
});
