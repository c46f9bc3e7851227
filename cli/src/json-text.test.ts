import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { escapeText, writeJson, writeReadableJson } from "./json-text.ts";

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

test("control, zero-width and bidirectional characters are written as escapes", () => {
  assert.equal(
    escapeText("a\x1b[2J\u009b\u202e\u2028\u{e0001}\ud800z"),
    "a\\u001b[2J\\u009b\\u202e\\u2028\\udb40\\udc01\\ud800z",
  );
  assert.equal(escapeText("名前 é 🚀"), "名前 é 🚀");
});

test("JSON means the same after its characters were escaped, and none of them can reach a terminal", () => {
  const texts = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(fc.dictionary(texts, fc.oneof(texts, fc.array(texts)), { noNullPrototype: true }), (value) => {
      const before = JSON.parse(JSON.stringify(value));
      assert.deepEqual(JSON.parse(writeJson(value)), before);
      assert.deepEqual(JSON.parse(writeReadableJson(value)), before);
      assert.doesNotMatch(writeJson(value), UNPRINTABLE);
      assert.doesNotMatch(writeReadableJson(value).replaceAll("\n", ""), UNPRINTABLE);
    }),
  );
});

test("what is short stays on one line for people, what is long is indented", () => {
  assert.equal(writeReadableJson({ acc: 1 }), '{"acc":1}');
  assert.equal(writeReadableJson({ text: "x".repeat(100) }), `{\n  "text": "${"x".repeat(100)}"\n}`);
});
