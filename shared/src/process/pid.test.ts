import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPidPart, parsePid, partitionOf, splitPid, toPid } from "./pid.ts";

const part = fc.stringMatching(/^[A-Za-z0-9._~-]{1,128}$/).filter((text) => text !== "." && text !== "..");

test("what the parts of a pid may be", () => {
  for (const right of ["a", "A.b_c~d-e", "x".repeat(128), "..."]) assert.ok(isPidPart(right), right);
  for (const wrong of ["", ".", "..", "a/b", "a b", "ä", "x".repeat(129), "a\n", "a@1", "a:b"])
    assert.ok(!isPidPart(wrong), wrong);
});

test("a pid is split into the parts it was made of", () => {
  fc.assert(fc.property(part, part, (module, key) => assert.deepEqual(splitPid(toPid(module, key)), { module, key })));
});

test("a text is a pid where it is two parts with a slash between", () => {
  fc.assert(fc.property(part, part, (module, key) => assert.equal(parsePid(`${module}/${key}`), `${module}/${key}`)));
  for (const text of ["", "/", "stack", "stack/", "/a", "stack/a/b", "../a", "stack/a b", " stack/a", "stack/a\n"])
    assert.equal(parsePid(text), undefined, text);
});

test("every pid has one partition, and many pids spread evenly", () => {
  fc.assert(
    fc.property(part, part, fc.integer({ min: 1, max: 16_384 }), (module, key, partitions) => {
      const partition = partitionOf(toPid(module, key), partitions);
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions);
      assert.equal(partition, partitionOf(`${module}/${key}`, partitions));
    }),
  );
  const pids = Array.from({ length: 64_000 }, (_, index) => `accumulator/k${index}`);
  const sizes = [...Map.groupBy(pids, (pid) => partitionOf(pid, 64)).values()].map(({ length }) => length);
  assert.equal(sizes.length, 64);
  assert.ok(
    Math.min(...sizes) > 800 && Math.max(...sizes) < 1_200,
    `from ${Math.min(...sizes)} to ${Math.max(...sizes)}`,
  );
});

test("the partition of a pid is part of the layout and never changes", () => {
  assert.deepEqual(
    ["accumulator/alice", "stack/x", "a/b"].map((pid) => partitionOf(pid, 64)),
    [18, 24, 1],
  );
});
