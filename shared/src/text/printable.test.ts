import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countColumns, crop, cropStart, toPrintable } from "./printable.ts";

test("control, zero-width and bidirectional characters cannot reach the terminal", () => {
  assert.equal(toPrintable("a\x1b[2J\r\n\x9b\u202e\u200b\u2028\ud800z"), "a?[2J???????z");
});

test("ordinary text in any script stays as it is", () => {
  assert.equal(toPrintable("worker-1 名前 é 🚀"), "worker-1 名前 é 🚀");
});

test("wide characters count two columns and combining marks none", () => {
  assert.deepEqual(["abc", "名前", "e\u0301", "🚀"].map(countColumns), [3, 4, 1, 2]);
});

test("a cropped text never takes more columns than it was given", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, columns) => {
      for (const cut of [crop, cropStart]) assert.ok(countColumns(cut(text, columns)) <= columns);
    }),
  );
});

test("a text that fits is not cropped, and one that does not ends in an ellipsis", () => {
  assert.equal(crop("worker-1", 8), "worker-1");
  assert.equal(crop("worker-10", 8), "worker-…");
  assert.equal(crop("名前名前", 6), "名前…");
  assert.equal(cropStart("worker-1", 8), "worker-1");
  assert.equal(cropStart("worker-10", 8), "…rker-10");
  assert.equal(cropStart("名前名前", 6), "…名前");
});
