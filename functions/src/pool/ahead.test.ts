import assert from "node:assert/strict";
import { test } from "node:test";
import { MANIFEST } from "../manifest/shape.ts";
import { Ahead } from "./ahead.ts";

const NOON = Date.parse("2026-01-01T12:00:00Z");

function specs(schedules: Record<string, string>) {
  const functions = Object.entries(schedules).map(([name, schedule]) => ({ name, type: "cron", schedule }));
  const manifest = MANIFEST.parse({ runtime: "node", functions });
  return new Map(manifest.functions.map((spec) => [spec.name, spec]));
}

test("each tick of a cron function is told once, some seconds before it is due", () => {
  const ahead = new Ahead();
  const functions = specs({ minutely: "* * * * *", hourly: "0 * * * *", every: "@every 1s" });
  const told = (secondsAfterNoon: number) =>
    ahead.findDue(functions, NOON + secondsAfterNoon * 1_000).map(({ key, inMs }) => `${key} in ${inMs}`);
  assert.deepEqual(told(1), []);
  assert.deepEqual(told(50), ["minutely in 10000"]);
  assert.deepEqual(told(51), []);
  assert.deepEqual(told(61), []);
  assert.deepEqual(told(112), ["minutely in 8000"]);
  assert.deepEqual(told(3_590), ["minutely in 10000", "hourly in 10000"]);
});

test("a schedule that is new is told at once where it is due soon, and one that is gone no more", () => {
  const ahead = new Ahead();
  assert.deepEqual(ahead.findDue(specs({ a: "* * * * *" }), NOON - 5_000), [{ key: "a", inMs: 5_000 }]);
  assert.deepEqual(ahead.findDue(specs({ b: "* * * * *" }), NOON - 4_000), [{ key: "b", inMs: 4_000 }]);
});
