import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { FakeApp } from "./fake-app.ts";
import { SECRET } from "./web-app.ts";

/** GS-9: what an app that knows the secret can do to the cluster is what a callback of a worker can do, and no more. */

const rules = { turnTimeoutMs: 10_000 };
const FAKE = { name: "fake", version: 1, rules, callbacks: ["init", "handleCall"], handlers: {} };
const CHANGING = { ...FAKE, name: "changing", callbacks: [...FAKE.callbacks, "codeChange"] };
const RETRIED = {
  ...FAKE,
  name: "retried",
  rules: { ...rules, retry: { attempts: 5 } },
  callbacks: ["init", "handleCast"],
};
const fake = new FakeApp([FAKE, CHANGING, RETRIED]);
await fake.start();
const cluster = new TestCluster({ env: { REMOTE_MODULES: fake.endpoint, REMOTE_SECRET: SECRET } });
const { client } = cluster;
const SOON = { withinMs: 10_000 };
const LATER = { withinMs: 60_000 };
const OK = { body: { v: 1, kind: "goes-on", state: { n: 1 }, stateTag: "t1", asks: [] as object[], logs: [] } };
const REPLIED = { body: { ...OK.body, reply: { value: "done" } } };
const OTHER_VERSION = { status: 409, body: { code: "other_version" } };

before(() => cluster.start());
beforeEach(() => {
  fake.answers = [OK];
  fake.onInvocation = () => {};
});
after(async () => {
  await cluster.stop();
  await fake.stop();
  assertNoChildLeft();
});

async function ask(key: string, ...asks: object[]) {
  await client.start("fake", key);
  fake.answers = [{ body: { ...REPLIED.body, asks } }];
  return await client.call(`fake/${key}`, "do");
}

const REFUSED: [what: string, ask: object][] = [
  ["a monitor's ref that breaks out of its text", { do: "monitor", pid: "fake/x", ref: '","pid":"a/b' }],
  ["a monitor's ref of a megabyte", { do: "monitor", pid: "fake/x", ref: "R".repeat(1_000_000) }],
  ["a made up name of a timer with a line break", { do: "timer", name: "~a\nb", message: 1, dueAt: 1 }],
];

for (const [index, [what, asked]] of REFUSED.entries()) {
  test(`GS-9 ${what} is refused`, async () => {
    const { status, body } = await ask(`refused-${index}`, asked);
    assert.deepEqual([status, body["code"]], [500, "callback_failed"], JSON.stringify(body).slice(0, 500));
    assert.match(String(body["detail"]), /its field asks is wrong/);
  });
}

test("GS-9 a timer that ticks begins when the turn does: one of a past century has nothing to catch up", async () => {
  const timer = { do: "timer", message: 1, dueAt: 1, missed: "all" };
  const startedAt = Date.now();
  const { body } = await ask(
    "timed",
    { ...timer, name: "t", everyMs: 3_600_000 },
    { ...timer, name: "c", cron: "@yearly" },
  );
  assert.equal(body["reply"], "done", JSON.stringify(body));
  const { timers } = (await client.get("/v1/processes/fake/timed/export")).body as {
    timers: Record<string, { dueAt: number }>;
  };
  assert.ok(Number(timers["t"]?.dueAt) >= startedAt + 3_600_000 - 1_000, JSON.stringify(timers));
  assert.ok(Number(timers["c"]?.dueAt) >= startedAt, JSON.stringify(timers));
});

test("GS-9 a failure is told in a few lines, however long the app makes it", async () => {
  await client.start("fake", "verbose");
  const failure = { code: "callback_failed", detail: "x".repeat(2_000_000), stack: ["y".repeat(2_000_000)] };
  fake.answers = [{ body: { v: 1, kind: "fails", failure, logs: [] } }];
  const { status, body } = await client.call("fake/verbose", "do");
  assert.equal(status, 500);
  assert.ok(JSON.stringify(body).length < 20_000, `${JSON.stringify(body).length} characters`);
  assert.match(String(body["detail"]), /^xxx/);
});

test("GS-9 an error's code that is no text is none", async () => {
  await client.start("fake", "coded");
  fake.answers = [{ status: 500, body: { code: { toString: 1 } } }];
  const { body } = await client.call("fake/coded", "do");
  assert.match(String(body["detail"]), /^fake\.handleCall at .*: it answered 500/);
});

test("GS-9 what a callback asks is asked once, whether the app fails after it or its worker dies", async () => {
  await client.start("accumulator", "asked", { args: 0 });
  await client.start("retried", "asker");
  const question = { id: "q", ask: "call", pid: "accumulator/asked", message: { add: 1 }, timeoutMs: 10_000 };
  const waits = { body: { v: 1, kind: "waits", questions: [question] } };
  const fails = { status: 500, body: { code: "oh_no" } };
  fake.answers = [waits, fails, waits, fails, waits, { body: { ...OK.body, state: { n: 2 } } }];
  const [worker] = cluster.workers;
  let invocations = 0;
  fake.onInvocation = async ({ answers }) => {
    if (++invocations === 4) await worker?.kill();
    if (invocations % 2 === 0) assert.deepEqual(answers, [{ id: "q", value: 1 }]);
  };
  await client.cast("retried/asker", "go");
  await until(() => !worker?.isAlive, SOON);
  await worker?.start();
  await until(async () => ((await client.read("retried/asker")).body["state"] as { n: number }).n === 2, LATER);
  assert.equal(invocations, 6);
  assert.equal((await client.call("accumulator/asked", "total")).body["reply"], 1);
});

test("GS-9 codeChange meets a copy of the app that has the earlier version, and is asked again", async () => {
  await client.start("changing", "rolling");
  fake.onInvocation = () => {
    fake.modules = [FAKE, { ...CHANGING, version: 2 }];
  };
  const changed = { body: { v: 1, kind: "changed", state: { n: 2 } } };
  fake.answers = [OTHER_VERSION, OTHER_VERSION, OTHER_VERSION, changed, REPLIED];
  const { body } = await client.call("changing/rolling", "do");
  assert.equal(body["reply"], "done", JSON.stringify(body));
  assert.deepEqual(
    fake.invocations.slice(-5).map(({ callback, version }) => [callback, version]),
    [
      ["handleCall", 1],
      ["codeChange", 2],
      ["codeChange", 2],
      ["codeChange", 2],
      ["handleCall", 2],
    ],
  );
});

test("GS-9 codeChange is given up for a version that comes meanwhile, and the process goes on under that one", async () => {
  await client.start("changing", "overtaken");
  const { moduleVersion } = (await client.read("changing/overtaken")).body;
  const from = Number(moduleVersion);
  const changed = { body: { v: 1, kind: "changed", state: { n: 3 } } };
  fake.answers = [OTHER_VERSION, OTHER_VERSION, changed, REPLIED];
  fake.onInvocation = ({ version }) => {
    fake.modules = [FAKE, { ...CHANGING, version: Math.min(Number(version), from + 1) + 1 }];
  };
  const { body } = await client.call("changing/overtaken", "do");
  assert.equal(body["reply"], "done", JSON.stringify(body));
  await until(async () => (await client.read("changing/overtaken")).body["moduleVersion"] === from + 2, SOON);
});
