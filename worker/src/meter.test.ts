import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { Meter, type TurnFacts } from "./meter.ts";

const turn = (facts: Partial<TurnFacts> = {}): TurnFacts => ({
  pid: "m/a",
  module: "m",
  ms: 2,
  waitMs: 1,
  isFailed: false,
  ...facts,
});

test("a heartbeat tells what was done since the one before, and what failed since the start", () => {
  const meter = new Meter();
  for (let turns = 0; turns < 99; turns++) meter.noteTurn(turn());
  meter.noteTurn(turn({ ms: 500, waitMs: 80, isFailed: true }));
  const first = meter.take();
  assert.ok(Number(first["rate"]) > 0 && Math.abs(Number(first["p50Ms"]) - 2) < 0.1);
  assert.ok(Number(first["waitMs"]) >= 0.9);
  assert.equal(first["failures"], 1);
  const { rate, p99Ms, failures, top } = meter.take();
  assert.deepEqual([rate, p99Ms, failures, top], [0, 0, 1, "[]"]);
});

test("the ten processes with the most turns are told, the busiest first", () => {
  const meter = new Meter();
  for (let index = 1; index <= 30; index++) {
    for (let turns = 0; turns < index; turns++)
      meter.noteTurn(turn({ pid: `m/${index}` as Pid, isFailed: turns === 0 }));
  }
  const told = JSON.parse(String(meter.take()["top"])) as { pid: string; turns: number; failed: number }[];
  assert.equal(told.length, 10);
  assert.deepEqual(told[0], { pid: "m/30", turns: 30, failed: 1 });
  assert.deepEqual(
    told.map(({ turns }) => turns),
    [30, 29, 28, 27, 26, 25, 24, 23, 22, 21],
  );
});

test("a listener hears of each turn; what did not wait is not counted among the waits", () => {
  const meter = new Meter();
  const heard: TurnFacts[] = [];
  meter.listen((facts) => heard.push(facts));
  meter.noteTurn(turn({ waitMs: undefined }));
  assert.deepEqual(heard, [turn({ waitMs: undefined })]);
  assert.equal(meter.take()["waitMs"], 0);
});
