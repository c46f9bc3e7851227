import { join } from "node:path";
import { test } from "node:test";
import { loadModules } from "genserverless/load-modules.ts";
import { createKit, type Kit } from "genserverless/testing";
import type { Driver } from "./driver.ts";
import { suite } from "./suite.ts";
import versioned2 from "./versions/2/versioned.ts";

/** The contract, in memory and on virtual time. */

const folders = ["modules", "versions/1"].map((folder) => join(import.meta.dirname, folder));
const modules = await loadModules(folders);
const WITHIN_MS = 5_000;
const STEP_MS = 5;

function drive(kit: Kit): Driver {
  return {
    start: (module, fields) => kit.start(module, fields),
    call: (pid, message, options) => kit.call(pid, message, options),
    cast: (pid, message, options) => kit.cast(pid, message, options),
    info: (pid, message) => kit.info(pid, message),
    stop: (pid, reason) => kit.stop(pid, reason),
    kill: (pid) => kit.kill(pid),
    pause: (pid) => kit.pause(pid),
    resume: (pid) => kit.resume(pid),
    unquarantine: (pid) => kit.unquarantine(pid),
    crash: (pid) => kit.crash(pid),
    upgrade: async () => kit.upgrade(versioned2),
    status: async (pid) => kit.status(pid),
    state: async (pid) => kit.state(pid),
    tags: async (pid) => kit.tags(pid),
    deadLetters: async (pid) => kit.deadLetters(pid),
    until: (fact) => until(kit, fact),
  };
}

async function until(kit: Kit, fact: () => Promise<void>): Promise<void> {
  const endsAt = kit.now() + WITHIN_MS;
  await kit.settle();
  for (;;) {
    try {
      return await fact();
    } catch (error) {
      if (kit.now() >= endsAt) throw error;
    }
    await kit.advance(STEP_MS);
  }
}

for (const { name, run } of suite) {
  test(name, () => run(drive(createKit({ modules: [...modules.values()], patienceMs: 20 }))));
}
