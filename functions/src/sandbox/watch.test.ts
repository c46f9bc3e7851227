/** What is looked at are processes as they are; what they burn is little, for they are looked at often. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { SandboxWatch, type Watched, type WatchSettings } from "./watch.ts";

/** A machine that has much to do gives a loop little, and the kernel counts in steps of 10 ms. */
const OFTEN: WatchSettings = { everyMs: 300, mostIdleLoad: 0.03, mostBusyLooks: 1, retiredAfterCpuSeconds: 3_600 };
const LOOPS = "process.stdout.write('looping'); for (;;);";

async function start(t: TestContext, source: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

/** Resolves with why it is ended. */
async function watch(
  t: TestContext,
  { pid }: ChildProcess,
  { state, memoryMb = 1_000 }: { state: Watched["state"]; memoryMb?: number },
  settings = OFTEN,
): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { memoryMb, runtime: "node" as const };
  const watched: Watched = { pid, state, hasLoaded: true, startedAt: performance.now(), options, end: resolve };
  const watching = new SandboxWatch(() => [watched], settings);
  await watching.start();
  t.after(() => watching.stop());
  return promise;
}

test("what goes on computing when it has nothing to do is ended", async (t) => {
  assert.equal(await watch(t, await start(t, LOOPS), { state: "idle" }), "idle_cpu");
});

test("what has taken much CPU time is replaced when it is idle", async (t) => {
  const settings = { ...OFTEN, retiredAfterCpuSeconds: 0.02 };
  const waits = "process.stdout.write('waiting'); setInterval(() => {}, 1000);";
  assert.equal(await watch(t, await start(t, waits), { state: "idle" }, settings), "retired");
});

test("what takes more memory than its share is ended, busy or not", async (t) => {
  const fills = "globalThis.all = Buffer.alloc(200e6, 1); process.stdout.write('full'); setInterval(() => {}, 1000);";
  assert.equal(await watch(t, await start(t, fills), { state: "busy", memoryMb: 32 }), "memory");
});
