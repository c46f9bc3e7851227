import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, createClient } from "genserverless/client.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { assertProblem } from "./problem.ts";
import type vault from "./typed-modules/vault.ts";

/** Named handlers with validators, from the caller to the callback. */

const cluster = new TestCluster({
  apis: 1,
  workers: 1,
  modulesDir: "test/http/typed-modules",
  env: { DRAIN_MS: "50" },
});
const { client } = cluster;
const SOON = { withinMs: 5_000, everyMs: 5 };
let typed: Client;

before(async () => {
  await cluster.start();
  typed = createClient({ url: String(cluster.urls[0]) });
});
after(async () => {
  await typed.close();
  await cluster.stop();
  assertNoChildLeft();
});

const aVault = async (key: string) => {
  const { pid } = await typed.start("vault", { key, args: 100 });
  return typed.process<typeof vault>(pid);
};
const read = async (pid: string) => (await client.get(`/v1/processes/${pid}?state=true`)).body;

test("a typed client's messages come to their handlers, as their validators have made them", async () => {
  const { call, cast, info, pid } = await aVault("typed");
  assert.deepEqual(await call({ deposit: { amount: "5" } }), { amount: 105, memo: "none" });
  assert.equal(await call("amount"), 105);
  await cast({ note: "hello" });
  await info({ wait: 1 });
  await until(async () => ((await read(pid))["state"] as { heard: string[] }).heard.length === 2, SOON);
  assert.deepEqual((await read(pid))["state"], { amount: 105, heard: ["hello", "timeout"] });
});

test("what a validator refuses is answered at the door, and never becomes a message", async () => {
  const { pid } = await aVault("refusing");
  const { turns } = await read(pid);
  const refusals: [kind: "call" | "cast" | "info", message: unknown, detail: string][] = [
    ["call", { deposit: { amount: -5 } }, "vault.calls.deposit: amount: Too small: expected number to be >0"],
    ["call", "deposit", "vault.calls.deposit: Invalid input: expected object, received undefined"],
    ["call", { withdraw: 5 }, "vault.calls has no handler for { withdraw: 5 };"],
    ["cast", { note: "" }, "vault.casts.note: must not be empty"],
    ["cast", null, "vault.casts has no handler for null;"],
    ["info", { wait: 1.5 }, "vault.infos.wait: Invalid input: expected int, received number"],
  ];
  for (const [kind, message, detail] of refusals) {
    const answer = await client.request("POST", `/v1/processes/${pid}/${kind}`, { message });
    assertProblem(answer, "422 invalid_message");
    assert.ok(String(answer.body["detail"]).startsWith(detail), String(answer.body["detail"]));
  }
  const casts = [{ note: "a" }, { note: "" }, { note: "b" }].map((message) => ({ pid, message }));
  const { accepted, results } = await typed.batch(casts);
  assert.deepEqual([accepted, results.map((result) => "messageId" in result)], [2, [true, false, true]]);
  await until(async () => Number((await read(pid))["turns"]) === Number(turns) + 2, SOON);
  assert.deepEqual((await read(pid))["mailbox"], { waiting: 0, delayed: 0, failed: 0 });
});

test("a key that was used with a message that was refused can be used with one that is right", async () => {
  const { pid } = await aVault("keyed");
  const post = (message: unknown) =>
    client.request("POST", `/v1/processes/${pid}/cast`, { message }, { idempotencyKey: "k" });
  assertProblem(await post({ note: 5 }), "422 invalid_message");
  assert.equal((await post({ note: "right" })).status, 202);
});

test("what a process sends does not pass the door: the worker refuses it, and the process goes on", async () => {
  const { call, cast, pid } = await aVault("inner");
  await aVault("sender");
  assert.equal(
    await call({ forward: { to: "vault/sender", message: { deposit: { amount: 0 } } } }),
    "invalid_message: vault.calls.deposit: amount: Too small: expected number to be >0",
  );
  await cast({ pass: { to: pid, message: { note: "" } } });
  await until(async () => (await typed.deadLetters(pid)).length === 1, SOON);
  const [letter] = await typed.deadLetters(pid);
  assert.match(letter?.reason ?? "", /vault\.casts\.note: must not be empty/);
  assert.equal(await call("amount"), 100);
});

test("the document says what the module takes", async () => {
  const { body } = await client.get("/openapi.json");
  const path = (body["paths"] as Record<string, object>)["/v1/processes/vault/{key}/call"];
  assert.match(JSON.stringify(path), /"\$ref":"#\/components\/schemas\/vault\.calls"/);
});
