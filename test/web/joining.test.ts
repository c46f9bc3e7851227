import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { FakeApp } from "./fake-app.ts";
import { SECRET, WebApp } from "./web-app.ts";

/** GS-9: apps that come later, come in another version, or answer what they should not. */

const app = await WebApp.create();
const callbacks = ["init", "handleCall"];
const fake = new FakeApp([
  { name: "fake", version: 1, rules: { turnTimeoutMs: 10_000 }, callbacks, handlers: {} },
  { name: "hasty", version: 1, rules: { turnTimeoutMs: 2_000 }, callbacks, handlers: {} },
  { name: "web-counter", version: 1, rules: {}, callbacks, handlers: {} },
  { name: "odd", version: 1, rules: { turnTimeoutMs: -1 }, callbacks, handlers: {} },
  { name: "stored", version: 1, rules: { store: "no-such-store" }, callbacks, handlers: {} },
]);
await fake.start();
const REMOTE_MODULES = `${app.endpoint}, ${fake.endpoint}`;
const cluster = new TestCluster({ workers: 2, env: { REMOTE_MODULES, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 30_000 };
const OK = { body: { v: 1, kind: "goes-on", state: { n: 1 }, stateTag: "t1", asks: [], logs: [] } };

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  await app.stop();
  await fake.stop();
  assertNoChildLeft();
});

test("GS-9 an app that is away keeps no node from starting, and an error names it without its secret", () => {
  for (const node of [...cluster.apis, ...cluster.workers]) {
    const told = node.records.find(({ msg }) => msg === "remote.away");
    assert.match(String(told?.["error"]), new RegExp(`^${app.endpoint}: .*ECONNREFUSED`));
    const all = node.stdout.join("\n");
    assert.ok(!all.includes(SECRET));
    assert.ok(all.includes("odd: turnTimeoutMs must be"), "rules that are none are told");
  }
});

test("GS-9 the first app that brings a name has it, and a store that is not there is told", async () => {
  fake.answers = [OK];
  assert.equal((await client.start("fake", "one")).status, 201);
  assert.ok(cluster.workers[0]?.stdout.join("\n").includes("no-such-store"));
});

const NONSENSE: [what: string, answer: FakeApp["answers"][number], detail: RegExp][] = [
  ["null", { body: null }, /its kind is none of this callback/],
  ["a list", { body: [] }, /its kind is none of this callback/],
  ["what is not JSON", { body: "{" }, /with what is not JSON/],
  ["a kind of another callback", { body: { ...OK.body, kind: "done" } }, /its kind is none of this callback/],
  ["a kind of no callback", { body: { ...OK.body, kind: "constructor" } }, /its kind is none of this callback/],
  ["no state", { body: { ...OK.body, state: undefined } }, /its field state is wrong/],
  ["another version", { body: { ...OK.body, v: 2 } }, /its field v is wrong/],
  ["a field too many", { body: { ...OK.body, more: 1 } }, /its field more is wrong/],
  ["an unknown ask", { body: { ...OK.body, asks: [{ do: "format", disk: "c" }] } }, /its field asks is wrong/],
  [
    "an ask for no process",
    { body: { ...OK.body, asks: [{ do: "cast", pid: "x", message: 1 }] } },
    /a pid is module\/key/,
  ],
  ["a timer in a past century", { body: { ...OK.body, asks: [timer({ dueAt: 1, everyMs: 5e12 })] } }, /ms must be/],
  ["a cron that is none", { body: { ...OK.body, asks: [timer({ cron: "x y z" })] } }, /is not valid/],
  ["a level that is none", { body: { ...OK.body, logs: [{ level: "panic", fields: {} }] } }, /its field logs is wrong/],
  ["a code that is none", { body: failure("made_up") }, /its field failure is wrong/],
  ["questions without end", { body: { v: 1, kind: "waits", questions: [] } }, /its field questions is wrong/],
  ["another status", { status: 503, body: { code: "busy" } }, /it answered 503 busy/],
  ["a state that is never there", { status: 409, body: { code: "state_missing" } }, /it answered 409 state_missing/],
  ["another version of itself", { status: 409, body: { code: "other_version" } }, /it answered 409 other_version/],
  ["the answer to another request", { ...OK, nonce: "nonce-of-another-request" }, /the answer is wrongly signed/],
];

function timer(fields: object): object {
  return { do: "timer", name: "t", message: 1, dueAt: 1, ...fields };
}

function failure(code: string): object {
  return { v: 1, kind: "fails", failure: { code, detail: "x", stack: [] }, logs: [] };
}

for (const [index, [what, answer, detail]] of NONSENSE.entries()) {
  test(`GS-9 an app that answers ${what}, rightly signed, fails the turn`, async () => {
    fake.answers = [OK];
    const pid = `fake/nonsense-${index}`;
    await client.start("fake", `nonsense-${index}`);
    const before = (await client.read(pid)).body;
    fake.answers = [answer];
    const { status, body } = await client.call(pid, "do");
    assert.deepEqual([status, body["code"]], [500, "callback_failed"], JSON.stringify(body));
    assert.match(String(body["detail"]), detail);
    assert.match(String(body["detail"]), /^fake\.handleCall/);
    assert.deepEqual((await client.read(pid)).body["state"], before["state"]);
    fake.answers = [{ body: { ...OK.body, reply: { value: "well again" } } }];
    assert.equal((await client.call(pid, "again")).body["reply"], "well again");
  });
}

test("GS-9 a callback that waits without end is ended by its deadline", async () => {
  fake.answers = [OK];
  await client.start("hasty", "waiting");
  await client.start("accumulator", "asked");
  const question = { id: "q", ask: "members", group: "g" };
  fake.answers = [{ body: { v: 1, kind: "waits", questions: [question] } }];
  const { body } = await client.call("hasty/waiting", "do");
  assert.equal(body["code"], "callback_timeout");
  const answered = fake.invocations.at(-1)?.["answers"] as unknown[];
  assert.deepEqual(answered[0], { id: "q", value: [] });
});

test("GS-9 an app's modules join when it answers", async () => {
  fake.answers = [OK];
  const taken = await client.start("web-counter", "early");
  assert.equal(taken.status, 201, "the other app has the name, for it was there first");
  const plain = await client.start("web-plain", "early");
  assert.deepEqual([plain.status, plain.body["code"]], [404, "unknown_module"]);
  await app.start();
  await until(async () => (await client.start("web-plain", "early", { ifExists: "return" })).status < 300, SOON);
  assert.ok((await client.call("web-plain/early", "hello")).body["reply"]);
});

test("GS-9 a new version of an app's module takes over its processes, their states changed", async () => {
  const second = await WebApp.create();
  const own = new TestCluster({ env: { REMOTE_MODULES: second.endpoint, REMOTE_SECRET: SECRET } });
  try {
    await second.start();
    await own.start();
    await own.client.start("web-counter", "kept", { args: { from: 7 } });
    await own.client.start("web-counter", "asleep", { args: { from: 8 } });
    await second.stop();
    // When it has done this the worker knows that the connections have ended.
    await own.client.start("accumulator", "meanwhile");
    await second.start({ APP_VERSION: "2" });
    const added = await own.client.call("web-counter/kept", { add: 1 });
    assert.equal(added.body["reply"], 8, JSON.stringify(added.body));
    assert.deepEqual((await own.client.call("web-counter/kept", "notes")).body["reply"], ["changed from 1 to 2"]);
    assert.equal((await own.client.read("web-counter/kept")).body["moduleVersion"], 2);
    // Not a reason to give a state up: an app that is away for a moment while it should change it.
    await second.be("error", 2);
    assert.equal((await own.client.call("web-counter/asleep", "total")).body["reply"], 8);
  } finally {
    await own.stop();
    await second.stop();
  }
});
