import assert from "node:assert/strict";
import { test } from "node:test";
import { type } from "arktype";
import fc from "fast-check";
import * as v from "valibot";
import { z } from "zod";
import { noreply, reply } from "../returns.ts";
import { defineServer, type ServerModule } from "../server-module.ts";
import { type Dispatched, dispatch, InvalidMessageError, isHandled, type MessageCallback } from "./dispatch.ts";
import { Ties } from "./ties.ts";
import { failWith, invoke, readTurn, type TurnResult } from "./turn.ts";
import { TurnContext } from "./turn-context.ts";

const keep = <State>(_args: unknown, state: State) => noreply(state);
const taken = z.string().refine(async (name) => name !== "taken", "is taken");

const account: ServerModule = defineServer({
  name: "account",
  version: 1,
  init: () => ({ balance: 0 }),
  calls: {
    deposit: {
      args: z.object({ amount: z.number().positive(), memo: z.string().default("none") }),
      handle: ({ amount, memo }, from, state) => {
        const balance = state.balance + amount;
        return reply({ balance, memo, from: from.messageId }, { balance });
      },
    },
    rename: { args: taken, handle: async (name, _from, state) => reply(name, state) },
    total: (_args, _from, state) => reply(state.balance, state),
    broken: { args: z.unknown(), handle: () => "done" as never },
    throwing: {
      handle: () => {
        throw new RangeError("no");
      },
    },
  },
  casts: {
    valibot: { args: v.object({ items: v.array(v.object({ n: v.number("must be a number") })) }), handle: keep },
    arktype: { args: type({ n: "number>0" }), handle: keep },
  },
  handleCast: (_message: unknown, state) => noreply(state),
  infos: { tick: keep, DOWN: { args: z.object({ pid: z.string() }), handle: keep } },
});

function run(module: ServerModule, callback: MessageCallback, content: unknown): Promise<TurnResult> {
  const facts = { pid: "account/a", messageId: "0-1", attempt: 1 } as const;
  const nothing = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const ctx = new TurnContext(facts, {} as never, new Ties(), nothing);
  const start = async () => await invoke(module, callback, content, { balance: 1 }, ctx);
  return start().then(
    (returned) => readTurn(module, callback, returned, content),
    (error: unknown) => failWith(module, callback, error, content),
  );
}

async function replyOf(content: unknown): Promise<unknown> {
  const result = await run(account, "handleCall", content);
  assert.equal(result.kind, "goes-on", JSON.stringify(result));
  return result.kind === "goes-on" && result.replyText !== undefined ? JSON.parse(result.replyText) : undefined;
}

async function failureOf(content: unknown, callback: MessageCallback = "handleCall", module = account) {
  const result = await run(module, callback, content);
  assert.equal(result.kind, "fails", JSON.stringify(content));
  return result.kind === "fails" ? `${result.failure.code}: ${result.failure.detail}` : "";
}

test("gives the handler that a message names what its validator has made of the arguments", async () => {
  assert.deepEqual(await replyOf({ deposit: { amount: 5 } }), { balance: 6, memo: "none", from: "0-1" });
  assert.equal(await replyOf({ rename: "free" }), "free");
});

test("takes a handler's name alone for undefined", async () => {
  assert.equal(await replyOf("total"), 1);
  assert.equal(await replyOf({ total: { anything: true } }), 1);
  assert.equal(
    await failureOf("deposit"),
    "invalid_message: account.calls.deposit: Invalid input: expected object, received undefined",
  );
});

test("says which argument is wrong, whichever library has found it", async () => {
  assert.equal(
    await failureOf({ deposit: { amount: -5, memo: 1 } }),
    "invalid_message: account.calls.deposit: amount: Too small: expected number to be >0; " +
      "memo: Invalid input: expected string, received number",
  );
  assert.equal(await failureOf({ rename: "taken" }), "invalid_message: account.calls.rename: is taken");
  assert.equal(
    await failureOf({ valibot: { items: [{ n: 1 }, { n: "2" }] } }, "handleCast"),
    "invalid_message: account.casts.valibot: items.1.n: must be a number",
  );
  assert.equal(
    await failureOf({ arktype: { n: -1 } }, "handleCast"),
    "invalid_message: account.casts.arktype: n: n must be positive (was -1)",
  );
});

test("tells ten issues at most, each shortened", async () => {
  const items = Array.from({ length: 500 }, () => ({ n: null }));
  const detail = await failureOf({ valibot: { items } }, "handleCast");
  assert.match(detail, /items\.9\.n: must be a number; and 490 more$/);
  const long = { args: z.string("x".repeat(10_000)), handle: keep };
  const module = defineServer({ name: "long", version: 1, init: () => 0, casts: { long } });
  assert.ok((await failureOf({ long: 1 }, "handleCast", module)).length < 400);
});

test("leaves to the raw callback what names no handler, and refuses it where there is none", async () => {
  for (const content of [{ other: 1 }, "other", null, 5, [], {}, { valibot: 1, more: 2 }]) {
    assert.equal(dispatch(account, "handleCast", content), undefined);
    assert.equal((await run(account, "handleCast", content)).kind, "goes-on");
    assert.match(await failureOf(content), /^invalid_message: account\.calls has no handler for /);
  }
  assert.equal(
    await failureOf({ withdraw: 5 }),
    "invalid_message: account.calls has no handler for { withdraw: 5 }; " +
      'send { "<name>": <args> }, or "<name>" alone, of deposit, rename, total, broken, throwing',
  );
});

test("ignores the cluster's own infos unless they are named", async () => {
  const down = { type: "DOWN", ref: "r", pid: "a/b", reason: "normal" };
  const dispatched = (await dispatch(account, "handleInfo", down)) as Dispatched;
  assert.deepEqual([dispatched.name, dispatched.args], ["DOWN", { pid: "a/b" }]);
  for (const content of ["timeout", { type: "EXIT", pid: "a/b", reason: "normal" }]) {
    assert.equal(dispatch(account, "handleInfo", content), undefined);
    assert.equal((await run(account, "handleInfo", content)).kind, "goes-on");
  }
  assert.match(await failureOf({ type: "UP" }, "handleInfo"), /^invalid_message: account\.infos has no handler/);
});

test("finds nothing in a map but its handlers", () => {
  const hostile = ["toString", "constructor", "__proto__", "hasOwnProperty", ""];
  for (const name of hostile) {
    for (const content of [name, JSON.parse(`{${JSON.stringify(name)}:1}`)]) {
      assert.throws(() => dispatch(account, "handleCall", content), InvalidMessageError);
    }
  }
  fc.assert(
    fc.property(fc.jsonValue(), (content) => {
      assert.equal(dispatch(account, "handleCast", content), undefined);
      assert.throws(() => dispatch(account, "handleCall", content), InvalidMessageError);
    }),
  );
});

test("names the handler that threw, or returned what is no return", async () => {
  assert.equal(await failureOf("throwing"), "callback_failed: account.calls.throwing threw RangeError: no");
  assert.match(
    await failureOf("broken"),
    /^invalid_return: account\.calls\.broken returned 'done'; legal returns are reply/,
  );
});

test("fails as the callback does where a validator throws", async () => {
  const args = z.string().refine(() => {
    throw new TypeError("the validator is broken");
  });
  const module = defineServer({ name: "bad", version: 1, init: () => 0, casts: { set: { args, handle: keep } } });
  assert.equal(
    await failureOf({ set: "a" }, "handleCast", module),
    "callback_failed: bad.casts.set threw TypeError: the validator is broken",
  );
});

test("knows which kinds of message a module takes", () => {
  const raw: ServerModule = defineServer({ name: "raw", version: 1, init: () => 0, handleInfo: keep });
  const kinds: MessageCallback[] = ["handleCall", "handleCast", "handleInfo"];
  assert.deepEqual(
    kinds.map((kind) => isHandled(account, kind)),
    [true, true, true],
  );
  assert.deepEqual(
    kinds.map((kind) => isHandled(raw, kind)),
    [false, false, true],
  );
  assert.equal(dispatch(raw, "handleCast", { any: 1 }), undefined);
});
