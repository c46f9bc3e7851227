import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "./virtual-clock.ts";

test("rings what is due, the soonest first, and of one instant in the order in which it was set", () => {
  const clock = new VirtualClock(100);
  const rung: string[] = [];
  for (const [dueAt, name] of [
    [130, "c"],
    [110, "a"],
    [120, "b"],
    [110, "a2"],
    [140, "d"],
  ] as const) {
    clock.at(dueAt, () => rung.push(name));
  }
  assert.equal(clock.nextDueAt, 110);
  clock.moveTo(130);
  assert.deepEqual(rung, ["a", "a2", "b", "c"]);
  assert.deepEqual([clock.now, clock.nextDueAt], [130, 140]);
});

test("does not ring what was cancelled, also by an alarm of the same instant", () => {
  const clock = new VirtualClock(0);
  const rung: string[] = [];
  const late = clock.at(20, () => rung.push("late"));
  clock.at(10, () => same.cancel());
  const same = clock.at(10, () => rung.push("same"));
  late.cancel();
  late.cancel();
  clock.moveTo(30);
  assert.deepEqual(rung, []);
});

test("never goes back, and rings what is past with the next move", () => {
  const clock = new VirtualClock(50);
  let rings = 0;
  clock.at(10, () => {
    rings += 1;
  });
  clock.moveTo(20);
  assert.deepEqual([clock.now, rings], [50, 1]);
});
