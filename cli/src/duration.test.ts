import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "./duration.ts";

test("a duration has a unit, and is ms without one", () => {
  const given = ["1500", "500ms", "5s", "1.5s", "2m", "1h", "7d"];
  assert.deepEqual(given.map(parseDuration), [1_500, 500, 5_000, 1_500, 120_000, 3_600_000, 604_800_000]);
});

test("what is no duration, or one that no timer can wait for, is refused", () => {
  for (const text of ["", "s", "-1s", "5 s", "1e3", "5y", "0", "0.1ms", "25d", "Infinity"]) {
    assert.throws(() => parseDuration(text), /a duration is e\.g\. 500ms/, text);
  }
});
