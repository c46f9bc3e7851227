import { test } from "node:test";
import fc from "fast-check";
import { createKit, type Kit } from "genserverless/testing";
import type { Driver } from "../contract/driver.ts";
import { definePlayer } from "../tools/player.ts";
import { type Order, PlayerModel, programs } from "../tools/player-model.ts";

/** Random programs of players on the test kit, against a plain model. */

const RUNS = Number(process.env["FIRE_SECONDS"] ?? 20) > 60 ? 5_000 : 150;
const WITHIN_MS = 5_000;

test("players on the kit become what a plain model says, whatever they are told and however often they crash", {
  timeout: 600_000,
}, async () => {
  const program = programs({ crashes: 10, upgrades: 3 }, { minLength: 10, maxLength: 60 });
  const run = async (orders: readonly Order[]) => {
    const kit = createKit({ modules: [definePlayer(1)] });
    await new PlayerModel(drive(kit), "kit").run(orders);
  };
  await fc.assert(fc.asyncProperty(program, run), { numRuns: RUNS });
});

function drive(kit: Kit): Driver {
  let version = 1;
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
    crash: async (pid) => {
      await kit.settle();
      kit.crashDuringNextTurn(pid);
      await kit.crash();
    },
    upgrade: async () => {
      version += 1;
      kit.upgrade(definePlayer(version));
    },
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
    await kit.advance(10);
  }
}
