import assert from "node:assert/strict";
import { test } from "node:test";
import { Terminations } from "./terminations.ts";

test("CS-11: what was sent before an entity was terminated is included, later commands and those of others are not", () => {
  const terminations = new Terminations();
  terminations.note("a", 1_000);
  assert.equal(terminations.includes("a", 999), true);
  assert.equal(terminations.includes("a", 1_001), false);
  assert.equal(terminations.includes("b", 999), false);
  assert.equal(terminations.includes("a", undefined), false);
});

test("the last termination counts, and old ones are forgotten", () => {
  const terminations = new Terminations();
  terminations.note("a", 1_000);
  terminations.note("a", 2_000);
  assert.equal(terminations.includes("a", 1_500), true);
  terminations.note("b", 4_000_000);
  assert.equal(terminations.includes("a", 1_500), false);
});
