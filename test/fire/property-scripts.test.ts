import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ScriptBench } from "@genserverless/shared/cluster/scripts.test-support.ts";
import fc from "fast-check";
import { audit } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import type { Deed, DeedName } from "../tools/script-deeds.ts";
import { type Ending, ScriptWorld } from "../tools/script-world.ts";

/**
 * The scripts in any order that nodes, operators, deaths and delays can bring about: after each of them everything in
 * Redis fits together, and in the end no message is lost, doubled or out of its order.
 */

const RUNS = Number(process.env["FIRE_SECONDS"] ?? 20) > 60 ? 3_000 : Number(process.env["FIRE_RUNS"] ?? 25);

const bench = new ScriptBench();
before(() => bench.start());
after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

type Slot = number | "owner";

type Step =
  | { do: "start" | "cancel" | "ring" | "deliver" | "deliver half" | "wait"; at: number }
  | { do: "send"; at: number; ms: number; kind: string }
  | { do: "claim"; slot: Slot; at: number; width: number }
  | { do: "turn"; slot: Slot; at: number; most: number; deeds: Deed[]; ending: Ending }
  | { do: "store" | "passivate" | "handOver"; slot: Slot; at: number }
  | { do: "die" | "replace"; slot: Slot }
  | { do: "operate"; at: number; act: Parameters<ScriptWorld["operate"]>[1] };

const at = fc.nat({ max: 2 });
/** Whose step it is: mostly the owner's. */
const slot = fc.constantFrom<Slot>("owner", "owner", "owner", "owner", 0, 1);
const ms = fc.constantFrom(0, 0, 0, 5, 40);
const deed: fc.Arbitrary<Deed> = fc.record({
  do: fc.constantFrom<DeedName>(
    ...(["cast", "cast", "cast", "arm", "arm", "disarm", "start", "stop", "exit", "link", "unlink"] as const),
    ...(["monitor", "demonitor", "join", "leave", "publish", "tags"] as const),
  ),
  to: at,
  ms,
});
const ending = fc.constantFrom<Ending>(
  ...(["goes on", "goes on", "goes on", "goes on", "continues", "retries", "quarantines"] as const),
  ...(["stops", "crashes", "defers"] as const),
);
const deeds = fc.array(deed, { maxLength: 4 });
const claim = fc.record({ do: fc.constant("claim" as const), slot, at, width: fc.constantFrom(0, 1, 4) });
const turn = fc.record({
  do: fc.constant("turn" as const),
  slot,
  at,
  most: fc.integer({ min: 1, max: 4 }),
  deeds,
  ending,
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("start" as const), at }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      at,
      ms,
      kind: fc.constantFrom("cast", "cast", "cast", "cast", "stop"),
    }),
  },
  { weight: 14, arbitrary: claim },
  { weight: 18, arbitrary: turn },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom("store", "passivate", "handOver"), slot, at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom("die", "replace"), slot }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel", "ring", "ring", "deliver", "deliver", "deliver half", "wait"),
      at,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("operate" as const),
      at,
      act: fc.constantFrom("pause", "resume", "unquarantine", "kill", "skip", "reimport", "retryAll", "dropAll"),
    }),
  },
);

async function take(world: ScriptWorld, step: Step): Promise<void> {
  const whose = "slot" in step ? step.slot : 0;
  const slot = whose === "owner" ? await world.findOwner("at" in step ? step.at : 0) : whose;
  switch (step.do) {
    case "start":
      return await world.start(step.at);
    case "send":
      return await world.send(step.at, step.ms, step.kind);
    case "claim":
      return await world.claim(slot, step.at, step.width);
    case "turn":
      return await world.turn(slot, step.at, step.most, step.deeds, step.ending);
    case "store":
      return await world.store(slot, step.at);
    case "passivate":
    case "handOver":
      return await world.giveUp(slot, step.at, step.do);
    case "die":
    case "replace":
      return await world[step.do](slot);
    case "operate":
      return await world.operate(step.at, step.act);
    case "cancel":
    case "ring":
      return await world[step.do]();
    case "deliver":
    case "deliver half":
      return await world.deliver(step.do === "deliver");
    case "wait":
      await sleep(10);
  }
}

test("whatever comes in whatever order, everything in Redis fits together, and no message is lost or doubled", {
  timeout: 3_600_000,
}, async () => {
  const redis = bench.server.connect();
  const program = fc.array(step, { minLength: 20, maxLength: 60, size: "max" });
  await fc.assert(
    fc.asyncProperty(program, async (steps) => {
      const world = new ScriptWorld(bench);
      await world.open();
      await world.start(0);
      await world.start(1);
      for (const [index, each] of steps.entries()) {
        await take(world, each);
        assert.deepEqual(await audit(redis, "t", 4), [], `after step ${index}, ${JSON.stringify(each)}`);
      }
      assert.deepEqual(await world.settleAll(), []);
      assert.deepEqual(await audit(redis, "t", 4), [], "in the end");
      assert.deepEqual(await world.findLost(), []);
      assert.deepEqual(await world.findStrayEvents(), []);
    }),
    { numRuns: RUNS, endOnFailure: process.env["FIRE_SHRINK"] === undefined },
  );
});
