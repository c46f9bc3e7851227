import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { loadScripts, type ScriptName } from "@genserverless/shared/redis/scripts.ts";
import type { ActorState, Step } from "../contract/actor.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster, type TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** What a turn sends, is told and owes, when the network or a node fails between one step and the next. */

const TTL_MS = 2_000;
/** An outbox is taken over when it is a second old, by a node that beats each third of a TTL, once the dead one is gone. */
const TAKEN_OVER_MS = 2 * TTL_MS + 2_000;
const SOON = { withinMs: 60_000 };
const scripts = loadScripts(readPublishedLua());
const cluster = new TestCluster({
  apis: 1,
  workers: 2,
  sessionTtlMs: TTL_MS,
  throughProxy: true,
  redis: { appendfsync: "always" },
  modulesDir: "test/contract/modules",
  env: { DRAIN_MS: "50" },
});
const { client } = cluster;
let named = 0;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

async function anActor(module = "actor", ...run: Step[]): Promise<string> {
  const key = `fire-${++named}`;
  const { status, body } = await client.start(module, key, { args: { run } });
  assert.equal(status, 201, JSON.stringify(body));
  return `${module}/${key}`;
}

async function order(pid: string, ...run: Step[]): Promise<unknown> {
  const { status, body } = await client.call(pid, { run }, { timeoutMs: 60_000 });
  assert.equal(status, 200, JSON.stringify(body));
  return body["reply"];
}

async function notesOf(pid: string): Promise<unknown[]> {
  return ((await client.read(pid)).body["state"] as ActorState | undefined)?.notes ?? [];
}

/** It notes just this, and nothing more after a mark that follows all that is on its way. */
async function assertNotes(pid: string, notes: readonly unknown[]): Promise<void> {
  await until(async () => (await notesOf(pid)).length >= notes.length, { ...SOON, what: `${pid} notes` });
  await order(pid, { do: "note", note: "mark" });
  assert.deepEqual(await notesOf(pid), [...notes, "mark"]);
}

async function workerOf(pid: string): Promise<TestNode> {
  const { owner } = (await client.read(pid)).body;
  const worker = cluster.workers.find(({ name }) => String(owner).startsWith(`worker@${name}#`));
  assert.ok(worker, `${pid} is owned by ${owner}`);
  return worker;
}

/** Two actors that two workers have. */
async function twoApart(): Promise<[string, string]> {
  const one = await anActor();
  for (;;) {
    const other = await anActor();
    if ((await workerOf(one)) !== (await workerOf(other))) return [one, other];
  }
}

/** A run of this script that carries this text. */
function runOf(script: ScriptName, text: string) {
  return ({ name, bytes }: { name: string; bytes: Buffer }) =>
    name !== "SCRIPT" && bytes.includes(scripts[script].sha) && bytes.includes(text);
}

async function revive(worker: TestNode): Promise<void> {
  const boots = () => worker.records.filter(({ msg }) => msg === "session.registered").length;
  const before = boots();
  await worker.start();
  await until(() => boots() > before, { ...SOON, what: `${worker.name} is back` });
}

for (const script of ["commit", "deliver", "sent"] as const) {
  for (const kind of ["loseAnswer", "cutMidRequest"] as const) {
    test(`what a turn sends arrives once and in order when ${script} meets ${kind}`, {
      timeout: 240_000,
    }, async (t) => {
      const [sender, target] = [await anActor(), await anActor()];
      const marker = script === "sent" ? `${sender}@` : `${script}-${kind}`;
      const fault = cluster.proxy[kind](runOf(script, marker));
      const sentAt = performance.now();
      const cast = (message: string): Step => ({ do: "cast", pid: target, message });
      await client.cast(sender, { run: [cast(`${script}-${kind}`), cast("second")] });
      await fault.met;
      await client.cast(sender, { run: [cast("third")] });
      await assertNotes(target, [
        ["cast", `${script}-${kind}`],
        ["cast", "second"],
        ["cast", "third"],
      ]);
      t.diagnostic(`all arrived within ${Math.round(performance.now() - sentAt)} ms`);
    });
  }
}

test("another node delivers what a node that died had committed, and what it delivers late changes nothing", {
  timeout: 240_000,
}, async (t) => {
  const [sender, target] = await twoApart();
  const held = cluster.proxy.holdRequest(runOf("deliver", "held"), { times: 1 });
  // What is held keeps its worker from beating too.
  const victim = await workerOf(sender);
  await order(sender, { do: "cast", pid: target, message: "held" }, { do: "cast", pid: target, message: "behind" });
  await held.met;
  const diedAt = performance.now();
  await victim.kill();
  await until(async () => (await notesOf(target)).length === 2, SOON);
  report(t, "delivered after", diedAt);
  assert.ok(performance.now() - diedAt < TAKEN_OVER_MS);
  held.release();
  await revive(victim);
  await assertNotes(target, [
    ["cast", "held"],
    ["cast", "behind"],
  ]);
});

test("a node that was held up while it delivered finds that another has done so", { timeout: 240_000 }, async () => {
  const [sender, target] = await twoApart();
  const held = cluster.proxy.holdRequest(runOf("deliver", "slow"), { times: 1 });
  await order(sender, { do: "cast", pid: target, message: "slow" });
  await held.met;
  await until(async () => (await notesOf(target)).length === 1, SOON);
  await order(target, { do: "note", note: "between" });
  held.release();
  await order(sender, { do: "cast", pid: target, message: "after" });
  await assertNotes(target, [["cast", "slow"], "between", ["cast", "after"]]);
});

function report(t: TestContext, what: string, since: number): void {
  t.diagnostic(`${what} ${Math.round(performance.now() - since)} ms`);
}

test("who watches is told once of an end although its worker has died", { timeout: 240_000 }, async () => {
  const [watcher, target] = await twoApart();
  const ref = await order(watcher, { do: "monitor", pid: target });
  const linked = await anActor("trapper", { do: "link", pid: target });
  await until(async () => (await client.read(linked)).status === 200, SOON);
  // The watch is there when the target has an answer to somebody who asked after it was set.
  await order(watcher, { do: "call", pid: target, message: { run: [{ do: "now" }] } });
  const victim = await workerOf(watcher);
  await victim.kill();
  await client.stop(target, { reason: "worn out" });
  await assertNotes(watcher, [["info", { type: "DOWN", ref, pid: target, reason: "worn out" }]]);
  await assertNotes(linked, [["info", { type: "EXIT", pid: target, reason: "worn out" }]]);
  await revive(victim);
});

test("who watches is told once of an end whose node died before it could tell", { timeout: 240_000 }, async (t) => {
  const [watcher, target] = await twoApart();
  const ref = await order(watcher, { do: "monitor", pid: target });
  await order(watcher, { do: "call", pid: target, message: { run: [{ do: "now" }] } });
  const held = cluster.proxy.holdRequest(runOf("deliver", "untold"), { times: 1 });
  const victim = await workerOf(target);
  await client.stop(target, { reason: "untold" });
  await held.met;
  const diedAt = performance.now();
  await victim.kill();
  await until(async () => (await notesOf(watcher)).length === 1, SOON);
  report(t, "told after", diedAt);
  held.release();
  await revive(victim);
  await assertNotes(watcher, [["info", { type: "DOWN", ref, pid: target, reason: "untold" }]]);
});

test("who waits for a deferred reply gets it after the death of the worker and of Redis", {
  timeout: 240_000,
}, async () => {
  const pid = await anActor();
  const call = client.call(pid, { run: [{ do: "defer" }] }, { timeoutMs: 120_000 });
  await until(async () => ((await client.read(pid)).body["state"] as ActorState).deferred.length === 1, SOON);
  const victim = await workerOf(pid);
  await victim.kill();
  await cluster.redis.kill();
  await cluster.redis.restart();
  await revive(victim);
  await cluster.untilReady();
  await order(pid, { do: "answer", value: "at last" });
  const { status, body } = await call;
  assert.deepEqual([status, body["reply"]], [200, "at last"]);
});

test("another process answers for one whose worker has died", { timeout: 240_000 }, async () => {
  const [asked, other] = await twoApart();
  const call = client.call(asked, { run: [{ do: "defer" }] }, { timeoutMs: 120_000 });
  const deferred = async () => ((await client.read(asked)).body["state"] as ActorState).deferred;
  const [from] = await until(async () => ((await deferred()).length > 0 ? await deferred() : undefined), SOON);
  assert.ok(from);
  const victim = await workerOf(asked);
  await victim.kill();
  await order(other, { do: "answer", value: "for another", from });
  const { status, body } = await call;
  assert.deepEqual([status, body["reply"]], [200, "for another"]);
  await revive(victim);
});

test("a timer whose worker dies between its ring and its turn comes once", { timeout: 240_000 }, async (t) => {
  const pid = await anActor();
  const victim = await workerOf(pid);
  await order(pid, { do: "sendAfter", ms: 500, message: "ding" });
  await victim.pause();
  // It is in the hand of the paused worker; or, where that was paused too late or for too long, came to another.
  const isRung = async () => (await client.read(pid)).body["status"] === "running" || (await notesOf(pid)).length > 0;
  await until(isRung, SOON);
  const diedAt = performance.now();
  await victim.kill();
  await assertNotes(pid, [["info", "ding"]]);
  report(t, "came after", diedAt);
  await revive(victim);
});

test("what terminate asks of others is asked, although its callback has asked the same", {
  timeout: 240_000,
}, async () => {
  const [pid, other] = [await anActor(), await anActor()];
  const ask: Step = { do: "call", pid: other, message: { run: [{ do: "note", note: "asked" }] } };
  await order(pid, ask, { do: "at-the-end", run: [ask] }, { do: "end", reason: "normal", reply: "bye" });
  assert.deepEqual(await notesOf(other), ["asked", "asked"]);
});

const BAD_STEPS: [what: string, step: Step, says: RegExp][] = [
  [
    "a cron of a broken expression",
    { do: "cron", expression: "61 * * * *", message: 1 },
    /ctx\.cron: "61 \* \* \* \*" is not valid/,
  ],
  [
    "a cron in no time zone",
    { do: "cron", expression: "0 0 * * *", timezone: "Mars/Base", message: 1 },
    /in Mars\/Base is not valid/,
  ],
  ["a cron that is never due", { do: "cron", expression: "0 0 31 2 *", message: 1 }, /never due/],
  ["a timer of -1 ms", { do: "sendAfter", ms: -1, message: 1 }, /ctx\.sendAfter: ms must be .*, not -1/],
  [
    "a timer of 10^12 ms",
    { do: "sendAfter", ms: 1e12, message: 1 },
    /ctx\.sendAfter: ms must be .*, not 1000000000000/,
  ],
  ["a timer every 0 ms", { do: "sendEvery", ms: 0, message: 1 }, /ctx\.sendEvery: ms must be .*, not 0/],
  ["a monitor of what is no pid", { do: "monitor", pid: "nobody" }, /ctx\.monitor: a pid is module\/key, not 'nobody'/],
  ["a link to what is no pid", { do: "link", pid: "a/../b" }, /ctx\.link: a pid is module\/key/],
  [
    "a group of 10,000 characters",
    { do: "join", group: "g".repeat(10_000) },
    /ctx\.join: a group's name must be 1 to 128/,
  ],
  ["a publication to no group", { do: "publish", group: "", message: 1 }, /ctx\.publish: a group's name must be/],
  ["members of no group", { do: "members", group: "a/b" }, /ctx\.members: a group's name must be/],
  [
    "a cast of more than a year",
    { do: "cast", pid: "actor/x", message: 1, delayMs: 1e12 },
    /ctx\.cast: delayMs must be/,
  ],
  ["a call of what is no pid", { do: "call", pid: "/", message: 1 }, /ctx\.call: a pid is module\/key/],
  ["a call that waits 0 ms", { do: "call", pid: "actor/x", message: 1, timeoutMs: 0 }, /ctx\.call: timeoutMs must be/],
  ["a stop without a reason", { do: "stop", pid: "actor/x", reason: "" }, /ctx\.stop: the reason must be/],
];

test("each bad argument is an error that names its function and what would be right, and changes nothing", async () => {
  const pid = await anActor();
  for (const [what, step, says] of BAD_STEPS) {
    const { status, body } = await client.call(pid, { run: [{ do: "note", note: what }, step] });
    assert.deepEqual([status, body["code"]], [500, "callback_failed"], what);
    assert.match(String(body["detail"]), says, what);
    assert.ok(String(body["detail"]).length < 500, what);
  }
  assert.deepEqual(await notesOf(pid), []);
});
