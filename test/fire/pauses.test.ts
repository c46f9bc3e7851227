import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readPublishedLua } from "@genserverless/shared/cluster/mailbox.ts";
import { loadScripts } from "@genserverless/shared/redis/scripts.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Answer } from "../tools/cluster-client.ts";
import type { Fault } from "../tools/fault-proxy/fault.ts";
import { TestCluster, type TestNode } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/**
 * A worker is paused (SIGSTOP) for three session TTLs at each step of a turn, then goes on (SIGCONT). The proxy holds the
 * step's script, or its answer, so that the pause is exactly there, and lets go when the worker goes on: whatever it
 * still had to say then arrives late.
 */

const TTL_MS = 2_000;
const SOON = { withinMs: 60_000 };
/** Of a call, in ms: it waits until another worker has been started and has taken over. */
const PATIENT = { timeoutMs: 60_000 };
const scripts = loadScripts(readPublishedLua());
const cluster = new TestCluster({ apis: 1, workers: 1, sessionTtlMs: TTL_MS, throughProxy: true });

before(() => cluster.start());

after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const { client } = cluster;

/**
 * Where the one living worker is stopped, by the fault that holds it there. A process that sleeps has to be claimed; one
 * that is held has its message put into the worker's hand.
 */
const STEPS: Record<string, (worker: string) => Fault> = {
  "before its claim": (worker) => cluster.proxy.holdRequest(scripts.claim.sha, { client: worker }),
  "between claim and turn": (worker) => cluster.proxy.holdAnswer(scripts.claim.sha, { client: worker }),
  "before its commit": (worker) => cluster.proxy.holdRequest(scripts.commit.sha, { client: worker }),
  "after its commit": (worker) => cluster.proxy.holdAnswer(scripts.commit.sha, { client: worker }),
};

for (const [step, hold] of Object.entries(STEPS)) {
  test(`a worker paused ${step} for three TTLs doubles, loses and overtakes nothing`, {
    timeout: 240_000,
  }, async () => {
    const pid = `troublemaker/${step.replaceAll(" ", "-")}`;
    await startAt(pid);
    if (step.includes("claim")) await putToSleep(pid);
    const worker = livingWorker();
    const fault = hold(`worker@${worker.name}`);
    const first = client.call(pid, { do: "add" }, PATIENT);
    await untilMet(fault, first);
    const second = client.call(pid, { do: "add" }, PATIENT);
    await pauseAndReplace(worker, () => fault.release());
    const replies = [(await first).body["reply"], (await second).body["reply"]];
    assert.deepEqual(replies, [1, 2]);
    await checkTotal(pid, 2);
  });
}

test("a worker paused when a message is put into its hand doubles, loses and overtakes nothing", {
  timeout: 240_000,
}, async () => {
  const pid = "troublemaker/into-its-hand";
  await startAt(pid);
  const worker = livingWorker();
  await worker.pause();
  const first = client.call(pid, { do: "add" }, PATIENT);
  await until(async () => (await client.read(pid)).body["status"] === "running", SOON);
  const second = client.call(pid, { do: "add" }, PATIENT);
  await pauseAndReplace(worker, () => {});
  assert.deepEqual([(await first).body["reply"], (await second).body["reply"]], [1, 2]);
  await checkTotal(pid, 2);
});

test("a worker paused inside a callback for three TTLs commits nothing of it", { timeout: 240_000 }, async () => {
  const pid = "troublemaker/inside-a-callback";
  await startAt(pid);
  const worker = livingWorker();
  const first = client.call(pid, { do: "sleep", ms: 400 }, PATIENT);
  await worker.untilRecord(({ msg, pid: logged }) => msg === "troublemaker sleeps" && logged === pid, SOON);
  await pauseAndReplace(worker, () => {});
  assert.equal((await first).body["reply"], 1);
  await checkTotal(pid, 1);
});

/** Of a fault that only an answered call could still meet, the answer may be heard of first. */
async function untilMet(fault: Fault, held: Promise<Answer>): Promise<void> {
  const answer = await Promise.race([fault.met, held]);
  const what = `what should be held was met, the call being answered ${JSON.stringify(answer)}`;
  await until(() => fault.hits > 0, { ...SOON, what });
}

async function startAt(pid: string): Promise<void> {
  const [module, key] = pid.split("/") as [string, string];
  assert.equal((await client.start(module, key)).status, 201);
}

async function putToSleep(pid: string): Promise<void> {
  await client.call(pid, { do: "hibernate" });
  await until(async () => (await client.read(pid)).body["owner"] === null, SOON);
}

function livingWorker(): TestNode {
  const worker = cluster.workers.findLast(({ isAlive }) => isAlive);
  assert.ok(worker);
  return worker;
}

/** Pauses the worker for three TTLs while another takes over, lets it go on, and waits until it knows. */
async function pauseAndReplace(worker: TestNode, release: () => void): Promise<void> {
  await worker.pause();
  const pausedAt = performance.now();
  const heir = await cluster.addWorker();
  await heir.untilRecord(({ msg }) => msg === "session.registered", SOON);
  await sleep(Math.max(0, pausedAt + 3 * TTL_MS - performance.now()));
  worker.resume();
  release();
  await worker.untilRecord(({ msg }) => msg === "session.lost", SOON);
  await until(() => worker.records.filter(({ msg }) => msg === "session.registered").length >= 2, SOON);
  await worker.stop();
}

/** One more add gives exactly one more: nothing that came late was applied, before or after. */
async function checkTotal(pid: string, total: number): Promise<void> {
  const { status, body } = await client.call(pid, { do: "add" }, PATIENT);
  assert.deepEqual([status, body["reply"]], [200, total + 1]);
  const { state, mailbox } = (await client.read(pid)).body as { state: { count: number }; mailbox: unknown };
  assert.deepEqual([state.count, mailbox], [total + 1, { waiting: 0, delayed: 0, failed: 0 }]);
}
