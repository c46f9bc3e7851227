import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatSpan } from "./quantities.ts";

test("bytes are shown in the largest unit that leaves a whole part", () => {
  assert.deepEqual([0, 1023, 1024, 3_460_300, 268_435_456, 2 ** 60].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "3.3 MiB",
    "256 MiB",
    "1048576 TiB",
  ]);
});

test("a span is shown in its two largest units", () => {
  assert.deepEqual([-5, 412, 9_999, 42_000, 184_000, 18_720_000, 788_400_000].map(formatSpan), [
    "0.0s",
    "0.4s",
    "10.0s",
    "42s",
    "3m04s",
    "5h12m",
    "9d03h",
  ]);
});

test("what is no number is shown as a dash", () => {
  assert.equal(formatSpan(Date.parse("nonsense")), "-");
  assert.equal(formatBytes(Number.NaN), "-");
});
