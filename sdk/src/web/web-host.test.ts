import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { noreply, reply } from "../returns.ts";
import { defineServer } from "../server-module.ts";
import { mount } from "./express.ts";
import { createHandler } from "./fetch.ts";
import { isAnswerSigned, signRequest } from "./signature.ts";
import { type Envelope, HEADERS, MOST_BODY_BYTES } from "./wire.ts";

const SECRET = "a-secret-of-both-sides";
const counter = defineServer({
  name: "counter",
  version: 2,
  turnTimeoutMs: 1_000,
  idleAfterMs: Infinity,
  init: (from: number | null) => from ?? 0,
  calls: { add: (by, _from, state: number) => reply(state + Number(by), state + Number(by)) },
  handleCast: async (message: "hang" | "log" | "cancel", state, ctx) => {
    if (message === "hang") await new Promise(() => {});
    if (message === "cancel") {
      ctx.sendAfter(5, "later", { name: "t" });
      ctx.cancel("new 0");
      ctx.cancel("t");
      return noreply(state);
    }
    ctx.log.warn({ pid: "mine", big: 1n, error: new RangeError("no") }, "logged");
    ctx.cast("counter/other", { from: ctx.pid }, { delayMs: 5 });
    ctx.sendEvery(1_000, "tick", { name: "t" });
    return noreply(state);
  },
});
const logged: string[] = [];
const handle = createHandler({ modules: [counter], secret: SECRET, log: (_fields, text) => logged.push(text) });
const URL_OF = "http://app/genserverless";

function envelope(fields: Partial<Envelope> = {}): Envelope {
  const turn = { callback: "init", pid: "counter/a", messageId: "m", attempt: 1, time: 1_000, seed: "s" } as const;
  return { v: 1, module: "counter", version: 2, content: null, ...turn, ...fields };
}

async function send(body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const signed = signRequest(SECRET, { method: "POST", target: "/genserverless", body: text });
  const response = await handle(
    new Request(URL_OF, { method: "POST", body: text, headers: { ...signed, ...headers } }),
  );
  const answered = await response.text();
  const signature = response.headers.get(HEADERS.signature) ?? undefined;
  const isSigned = isAnswerSigned(SECRET, signed[HEADERS.nonce] ?? "", response.status, answered, signature);
  return { status: response.status, body: JSON.parse(answered) as Record<string, unknown>, isSigned };
}

test("GS-9 the manifest names the modules, their rules, callbacks and handlers", async () => {
  const headers = signRequest(SECRET, { method: "GET", target: "/genserverless", body: "" });
  const response = await handle(new Request(URL_OF, { headers }));
  const { modules } = (await response.json()) as { modules: Record<string, unknown>[] };
  assert.equal(modules.length, 1);
  const { name, version, callbacks, handlers, rules } = modules[0] ?? {};
  assert.deepEqual(
    { name, version, callbacks, handlers },
    {
      name: "counter",
      version: 2,
      callbacks: ["init", "handleCall", "handleCast"],
      handlers: { calls: ["add"], casts: [], infos: [] },
    },
  );
  const { turnTimeoutMs, idleAfterMs, keepState } = rules as Record<string, unknown>;
  assert.deepEqual([turnTimeoutMs, idleAfterMs, keepState], [1_000, null, "after-crash"]);
});

test("GS-9 a callback's state is sent, or named by its tag while the app has it", async () => {
  const started = await send(envelope({ content: 4 }));
  assert.ok(started.isSigned);
  assert.deepEqual([started.body["kind"], started.body["state"]], ["goes-on", 4]);
  const stateTag = String(started.body["stateTag"]);
  const add = envelope({ callback: "handleCall", content: { add: 3 }, stateTag });
  const added = await send(add);
  assert.deepEqual([added.body["state"], added.body["reply"]], [7, { value: 7 }]);
  const missed = await send(add);
  assert.deepEqual([missed.status, missed.body["code"], missed.isSigned], [409, "state_missing", true]);
  const { stateTag: _, ...rest } = add;
  assert.equal((await send({ ...rest, state: 10 })).body["state"], 13);
});

test("GS-9 what a callback asks for and logs comes with the answer", async () => {
  const { body } = await send(envelope({ callback: "handleCast", content: "log", state: 1, ties: { timers: ["t"] } }));
  assert.deepEqual(body["asks"], [
    { do: "cast", pid: "counter/other", message: { from: "counter/a" }, delayMs: 5 },
    { do: "cancel", name: "t" },
    { do: "timer", name: "t", message: "tick", everyMs: 1_000 },
  ]);
  const [line] = body["logs"] as { fields: { pid: string; big: string; error: { message: string } } }[];
  assert.deepEqual([line?.fields.pid, line?.fields.big, line?.fields.error.message], ["mine", "1", "no"]);
});

test("GS-9 whatever an earlier timer is called, a timer is cancelled by its own name", async () => {
  const ties = { timers: ["new 0", "0"] };
  const { body } = await send(envelope({ callback: "handleCast", content: "cancel", state: 1, ties }));
  assert.deepEqual(body["asks"], [
    { do: "timer", name: "t", message: "later", dueAt: 1_005 },
    { do: "cancel", name: "new 0" },
    { do: "cancel", name: "t" },
  ]);
});

test("GS-9 a callback that is not done by the deadline fails, and what is no handler's is refused", async () => {
  const hang = envelope({ callback: "handleCast", content: "hang", state: 1 });
  const late = await send(hang, { [HEADERS.deadlineMs]: "20" });
  assert.deepEqual([late.status, late.body["kind"]], [200, "fails"]);
  assert.deepEqual((late.body["failure"] as { code: string }).code, "callback_timeout");
  const strange = await send(envelope({ callback: "handleCall", content: "multiply", state: 1 }));
  assert.equal((strange.body["failure"] as { code: string }).code, "invalid_message");
});

test("GS-9 what is no envelope, of another version or another module, is refused by name", async () => {
  const refused: [body: unknown, status: number, code: string][] = [
    ["{", 400, "malformed_json"],
    [null, 400, "invalid_envelope"],
    [{ ...envelope(), v: 2 }, 400, "invalid_envelope"],
    [{ ...envelope(), more: 1 }, 400, "invalid_envelope"],
    [{ ...envelope(), pid: "a" }, 400, "invalid_envelope"],
    [{ ...envelope(), callback: "constructor" }, 400, "invalid_envelope"],
    [{ ...envelope(), answers: [{ id: "x" }] }, 400, "invalid_envelope"],
    [envelope({ module: "other" }), 404, "unknown_module"],
    [envelope({ version: 1 }), 409, "other_version"],
  ];
  for (const [body, status, code] of refused) {
    const answer = await send(body);
    assert.deepEqual([answer.status, answer.body["code"], answer.isSigned], [status, code, true], JSON.stringify(body));
  }
});

test("GS-9 a body that is not recognised is handled and logged, and malformed JSON is 400", async () => {
  const post = (body: string) => handle(new Request(URL_OF, { method: "POST", body }));
  const strange = await post('{"hello":1}');
  assert.deepEqual([strange.status, await strange.text()], [200, "GenServerless handled\n"]);
  assert.equal(logged.at(-1), "unrecognized message");
  assert.equal((await post("{")).status, 400);
  assert.equal((await handle(new Request(URL_OF, { method: "PUT", body: "{}" }))).status, 405);
  const unsigned = await post(JSON.stringify(envelope()));
  assert.equal(((await unsigned.json()) as { code: string }).code, "signature_missing");
});

test("GS-9 an app is mounted with modules that can be, and a secret", () => {
  const init = () => 0;
  const other = defineServer({ name: "counter", version: 1, init });
  const journaled = defineServer({ name: "diary", version: 1, init, journal: { recover: () => 0 } });
  const refused: [options: object, message: RegExp][] = [
    [{ modules: [journaled], secret: SECRET }, /diary keeps a journal/],
    [{ modules: [counter], secret: "short" }, /^secret/],
    [{ modules: [], secret: SECRET }, /at least one/],
    [{ modules: [{ name: "x", init }], secret: SECRET }, /defineServer/],
    [{ modules: [counter, other], secret: SECRET }, /two are called counter/],
  ];
  for (const [options, message] of refused) {
    assert.throws(() => createHandler(options as never), { name: "TypeError", message });
  }
});

test("GS-9 a body that is too large is told so", async (t) => {
  const url = await serve(t, (handler, req, res) => handler(req, res, (error) => res.destroy(error as Error)));
  const response = await fetch(url, { method: "POST", body: Buffer.alloc(MOST_BODY_BYTES + 1, "x") });
  assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [413, "too_large"]);
});

test("GS-9 a large body is read of those only who sign, or bring the token of a push", async () => {
  const open = createHandler({ modules: [counter], secret: SECRET, token: "pushed", log: () => {} });
  const body = JSON.stringify({ padding: "x".repeat(2 * 1024 * 1024) });
  const post = async (query: string) => (await open(new Request(URL_OF + query, { method: "POST", body }))).status;
  assert.deepEqual([await post(""), await post("?token=wrong"), await post("?token=pushed")], [413, 413, 200]);
  assert.equal((await send(envelope({ content: { padding: "x".repeat(2 * 1024 * 1024) } }))).body["kind"], "goes-on");
});

test("GS-9 an app that has read the body itself is told where to mount", async (t) => {
  const url = await serve(t, async (handler, req, res) => {
    for await (const _ of req);
    handler(req, res, (error) => res.destroy(error as Error));
  });
  const response = await fetch(url, { method: "POST", body: "{}" });
  assert.deepEqual([response.status, ((await response.json()) as { code: string }).code], [500, "body_taken"]);
});

type Handler = Parameters<Parameters<typeof mount>[0]["all"]>[1];
type Listen = (handler: Handler, req: IncomingMessage, res: ServerResponse) => unknown;

/** The URL of a server whose requests go where `listen` says. */
async function serve(t: TestContext, listen: Listen): Promise<string> {
  const handlers: Handler[] = [];
  mount({ all: (_path, handler) => handlers.push(handler) }, { modules: [counter], secret: SECRET });
  const server = createServer((req, res) => listen(handlers[0] as Handler, req, res));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/genserverless`;
}
