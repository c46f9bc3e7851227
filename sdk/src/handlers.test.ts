/** Named handlers: what the type checker infers and refuses, and what is refused when the file is loaded. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import type { ProcessClient } from "./client.ts";
import { defineServer, noreply, reply, type ServerModule, stop } from "./index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_equal: Equal<A, B>) => {};

type Client = ProcessClient<typeof account>;

const account = defineServer({
  name: "account",
  version: 1,
  init: (start: unknown) => ({ balance: Number(start ?? 0), notes: [] as string[] }),
  calls: {
    deposit: {
      args: z.object({ amount: z.number().positive(), memo: z.string().default("") }),
      handle: ({ amount, memo }, from, state, ctx) => {
        same<typeof amount, number>(true);
        same<typeof memo, string>(true);
        same<typeof state.notes, string[]>(true);
        ctx.log.info({ from: from.pid });
        return reply(state.balance + amount, { ...state, balance: state.balance + amount });
      },
    },
    withdraw: {
      args: v.object({ amount: v.pipe(v.string(), v.transform(Number)) }),
      handle: async ({ amount }, _from, state) => {
        same<typeof amount, number>(true);
        return amount > state.balance
          ? stop("overdrawn", { error: "overdrawn" as const }, state)
          : reply({ left: state.balance - amount }, { ...state, balance: state.balance - amount });
      },
    },
    rename: {
      args: type({ name: "string>0" }),
      handle: ({ name }, _from, state) => {
        same<typeof name, string>(true);
        return reply([name], state, { timeout: 5 });
      },
    },
    close: { args: z.undefined(), handle: (_args, _from, state) => stop("normal", true, state) },
    balance: (_args, _from, state) => reply({ balance: state.balance }, state),
    later: { handle: (_args, _from, state) => noreply(state) },
  },
  casts: {
    note: { args: z.string(), handle: (text, state) => noreply({ ...state, notes: [...state.notes, text] }) },
    clear: (args, state) => {
      same<typeof args, unknown>(true);
      return noreply({ ...state, notes: [] });
    },
  },
  infos: { tick: (_args, state, ctx) => noreply({ ...state, notes: [ctx.pid] }) },
});

test("types a client's messages by the validators' input", () => {
  same<
    Parameters<Client["call"]>[0],
    | { deposit: { amount: number; memo?: string | undefined } }
    | { withdraw: { amount: string } }
    | { rename: { name: string } }
    | { close: undefined }
    | "close"
    | { balance: unknown }
    | "balance"
    | { later: unknown }
    | "later"
  >(true);
  same<Parameters<Client["cast"]>[0], { note: string } | { clear: unknown } | "clear">(true);
  same<Parameters<Client["info"]>[0], { tick: unknown } | "tick">(true);
});

test("types a reply by the handler that the message names", () => {
  const calls = (client: Client) => ({
    deposit: client.call({ deposit: { amount: 5 } }),
    withdraw: client.call({ withdraw: { amount: "5" } }),
    rename: client.call({ rename: { name: "a" } }),
    close: client.call("close"),
    balance: client.call("balance"),
    later: client.call({ later: 1 }),
    either: client.call(Math.random() > 2 ? "balance" : { deposit: { amount: 1 } }),
  });
  type Replies = { [Name in keyof ReturnType<typeof calls>]: Awaited<ReturnType<typeof calls>[Name]> };
  same<Replies["deposit"], number>(true);
  same<Replies["withdraw"], { error: "overdrawn" } | { left: number }>(true);
  same<Replies["rename"], string[]>(true);
  same<Replies["close"], boolean>(true);
  same<Replies["balance"], { balance: number }>(true);
  same<Replies["later"], never>(true);
  same<Replies["either"], { balance: number } | number>(true);
});

test("refuses a message that no handler takes", () => {
  const calls = (client: Client) => [
    // @ts-expect-error not what the validator takes
    client.call({ deposit: { amount: "5" } }),
    // @ts-expect-error the validator wants arguments
    client.call("deposit"),
    // @ts-expect-error no such handler
    client.call({ nothing: 1 }),
    // @ts-expect-error a cast's handler
    client.call({ note: "a" }),
    // @ts-expect-error no such handler
    client.cast("nothing"),
  ];
  void calls;
});

test("knows raw callbacks beside named handlers, where they say what they take", () => {
  const mixed = defineServer({
    name: "mixed",
    version: 1,
    init: () => 0,
    calls: { get: (_args, _from, state) => reply(state, state) },
    handleCall: (message: "name" | { add: string }, _from, state) => reply(String(message), state),
    casts: { set: { args: z.number(), handle: (n) => noreply(n) } },
    handleCast: (_message, state) => noreply(state),
    handleInfo: (_message: { any: number }, state) => noreply(state),
  });
  type Mixed = ProcessClient<typeof mixed>;
  same<Parameters<Mixed["call"]>[0], { get: unknown } | "get" | "name" | { add: string }>(true);
  same<Parameters<Mixed["cast"]>[0], { set: number }>(true);
  same<Parameters<Mixed["info"]>[0], { any: number }>(true);
  const calls = (client: Mixed) => [client.call("get"), client.call("name")] as const;
  same<Awaited<ReturnType<typeof calls>[0]>, number>(true);
  same<Awaited<ReturnType<typeof calls>[1]>, string>(true);
});

test("refuses handlers that return what is not theirs", () => {
  const name = "a";
  const version = 1;
  const init = () => 0;
  // @ts-expect-error a state of another type
  defineServer({ name, version, init, calls: { get: { args: z.string(), handle: (text) => reply(1, text) } } });
  // @ts-expect-error a bare state
  defineServer({ name, version, init, calls: { get: (_args, _from, state) => state } });
  // @ts-expect-error a reply to nobody
  defineServer({ name, version, init, casts: { set: { args: z.number(), handle: (n, state) => reply(n, state) } } });
  // @ts-expect-error a reply to nobody, from a bare function
  defineServer({ name, version, init, infos: { tick: (_args, state) => reply(1, state) } });
  const args = z.string();
  // @ts-expect-error arguments of another type than the validator's
  defineServer({ name, version, init, calls: { get: { args, handle: (n: number, _from, s) => reply(n, s) } } });
});

test("is any module to the runtime", () => {
  const modules: ServerModule[] = [account];
  const untyped = (client: ProcessClient<ServerModule>) => client.call({ any: "message" });
  same<Awaited<ReturnType<typeof untyped>>, unknown>(true);
  assert.equal(modules[0]?.calls?.["balance"]?.args, undefined);
});

test("keeps every handler in its long form, and no map that is empty", () => {
  const handle = (_args: unknown, state: number) => noreply(state);
  const args = z.number();
  const module = defineServer({
    name: "a",
    version: 1,
    init: () => 0,
    calls: {},
    casts: { bare: handle, long: { args, handle } },
  });
  assert.equal(module.calls, undefined);
  assert.equal(module.infos, undefined);
  assert.deepEqual({ ...module.casts }, { bare: { handle }, long: { args, handle } });
  assert.ok(Object.isFrozen(module.casts));
  assert.equal((module.casts as Record<string, unknown>)["toString"], undefined);
});

const handle = (_args: unknown, state: unknown) => noreply(state);

test("says what is wrong with a map of handlers", () => {
  const refusals: [field: object, message: string][] = [
    [{ calls: [] }, "calls must be an object of handlers by name, not []"],
    [{ casts: 5 }, "casts must be an object of handlers by name, not 5"],
    [{ calls: z.object({}) }, "calls must be an object of handlers by name, not "],
    [
      { calls: { "a b": handle } },
      "calls: a handler's name must be a letter, then at most 127 of [A-Za-z0-9._:~-], not 'a b'",
    ],
    [{ infos: { ["__proto__"]: handle } }, "infos: a handler's name must be"],
    [{ calls: { deposit: 5 } }, "calls.deposit must be a function or { args?, handle }, not 5"],
    [{ calls: { deposit: null } }, "calls.deposit must be a function or { args?, handle }, not null"],
    [
      { calls: { deposit: z.number() } },
      "calls.deposit must be a function or { args?, handle }, not a validator alone",
    ],
    [
      { calls: { deposit: type("number") } },
      "calls.deposit must be a function or { args?, handle }, not a validator alone",
    ],
    [{ calls: { deposit: { args: z.number() } } }, "calls.deposit.handle must be a function, not undefined"],
    [{ casts: { note: { handle: "later" } } }, "casts.note.handle must be a function, not 'later'"],
    [
      { casts: { note: { args: { type: "object" }, handle } } },
      "casts.note.args must be a Standard Schema, e.g. of zod, valibot or arktype, not { type: 'object' }",
    ],
    [
      { infos: { tick: { args: { "~standard": { version: 2 } }, handle } } },
      "infos.tick.args must be a Standard Schema",
    ],
    [{ calls: { get: { reply: 1, handle } } }, "calls.get.reply must be a Standard Schema"],
    [
      { calls: { get: { arg: z.number(), handle } } },
      "calls.get has an unknown field arg; known are args, reply, handle",
    ],
    [{ casts: { set: { reply: z.number(), handle } } }, "casts.set has an unknown field reply; known are args, handle"],
  ];
  for (const [field, message] of refusals) {
    const definition = { name: "account", version: 1, init: () => 0, ...field };
    assert.throws(
      () => defineServer(definition as Parameters<typeof defineServer>[0]),
      (error: Error) => error.name === "InvalidModuleError" && error.message.startsWith(`module account: ${message}`),
      message,
    );
  }
});
