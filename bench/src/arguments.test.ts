import assert from "node:assert/strict";
import { test } from "node:test";
import { parseArguments, UsageError } from "./arguments.ts";

test("without arguments every workload runs with the defaults", () => {
  assert.deepEqual(parseArguments([]), {
    workloads: ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "W8", "W9", "W10"],
    seconds: 10,
    rounds: 3,
    processes: 20_000,
    timers: 10_000,
    json: "bench/results/latest.json",
    isHelp: false,
  });
});

test("named workloads run once each, in their own order", () => {
  const { workloads, seconds } = parseArguments(["W3", "W1", "W3", "--seconds", "5"]);
  assert.deepEqual(workloads, ["W1", "W3"]);
  assert.equal(seconds, 5);
});

for (const args of [
  ["W11"],
  ["w1"],
  ["--fast"],
  ["--seconds", "0"],
  ["--seconds", "1.5"],
  ["--rounds"],
  ["--timers", "0"],
  ["constructor"],
]) {
  test(`${args.join(" ")} is refused`, () => {
    assert.throws(() => parseArguments(args), UsageError);
  });
}
