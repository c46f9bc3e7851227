import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { defineServer, noreply, reply } from "genserverless";
import type { ServerModule } from "genserverless/server-module.ts";
import { z } from "zod";
import { type Answered, type Door, openDoor } from "./door.test-support.ts";

const keep = <State>(_args: unknown, state: State) => noreply(state);
const never = z.string().refine(() => new Promise<boolean>(() => {}));
const throwing = z.string().refine(() => {
  throw new Error("no such table");
});
const free = z.string().refine(async (name) => name !== "taken", "is taken");

const account: ServerModule = defineServer({
  name: "account",
  version: 1,
  turnTimeoutMs: 50,
  init: () => 0,
  calls: {
    deposit: { args: z.object({ amount: z.number().positive() }), handle: (_args, _from, state) => reply(1, state) },
    total: (_args, _from, state) => reply(state, state),
  },
  casts: {
    rename: { args: free, handle: keep },
    hang: { args: never, handle: keep },
    fail: { args: throwing, handle: keep },
  },
  infos: { tick: keep },
  handleInfo: keep,
});
const raw: ServerModule = defineServer({ name: "raw", version: 1, init: () => 0, handleCast: keep });
const modules = new Map([account, raw].map((module) => [module.name, module]));

let door: Door;

before(async () => {
  door = await openDoor({ modules: () => modules });
});

after(() => door[Symbol.asyncDispose]());

function post(path: string, message: unknown): Promise<Answered> {
  const headers = { "content-type": "application/json" };
  return door.ask("POST", `/v1/processes/${path}`, { headers, body: JSON.stringify({ message }) });
}

async function refusalOf(path: string, message: unknown) {
  const { status, json } = await post(path, message);
  return { status, code: json["code"], detail: json["detail"] };
}

/** Behind this door is nothing: what passes it is answered with an internal error. */
async function assertPasses(path: string, message: unknown): Promise<void> {
  assert.equal((await refusalOf(path, message)).code, "internal_error", JSON.stringify([path, message]));
}

test("refuses what a module's validator refuses, and says what is wrong with it", async () => {
  const code = "invalid_message";
  assert.deepEqual(await refusalOf("account/a/call", { deposit: { amount: -1 } }), {
    status: 422,
    code,
    detail: "account.calls.deposit: amount: Too small: expected number to be >0",
  });
  assert.deepEqual(await refusalOf("account/a/cast", { rename: "taken" }), {
    status: 422,
    code,
    detail: "account.casts.rename: is taken",
  });
  assert.deepEqual(await refusalOf("account/a/call", { withdraw: 5 }), {
    status: 422,
    code,
    detail:
      "account.calls has no handler for { withdraw: 5 }; " +
      'send { "<name>": <args> }, or "<name>" alone, of deposit, total',
  });
});

test("lets through what is right, and what it cannot judge", async () => {
  await assertPasses("account/a/call", { deposit: { amount: 1 } });
  await assertPasses("account/a/call", "total");
  await assertPasses("account/a/cast", { rename: "free" });
  await assertPasses("account/a/info", "tick");
  await assertPasses("account/a/info", { for: "handleInfo" });
  await assertPasses("raw/a/cast", { anything: 1 });
  await assertPasses("unknown/a/call", { anything: 1 });
});

test("answers for a validator that throws or never ends", async () => {
  assert.deepEqual(await refusalOf("account/a/cast", { fail: "x" }), {
    status: 500,
    code: "callback_failed",
    detail: "the validator of account.casts.fail threw: no such table",
  });
  assert.deepEqual(await refusalOf("account/a/cast", { hang: "x" }), {
    status: 500,
    code: "callback_timeout",
    detail: "the validator of account.casts.hang was not done within 50 ms",
  });
});
