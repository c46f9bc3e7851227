import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deriveMessageId, newMessageId, partitionOfMessage } from "./message.ts";

test("an id names its partition", () => {
  assert.equal(partitionOfMessage(newMessageId(63)), 63);
  assert.equal(partitionOfMessage(deriveMessageId(7, "a/b", "call", "key")), 7);
  for (const wrong of [
    "",
    "7",
    "7-",
    "x-00000000-0000-4000-8000-000000000000",
    `${newMessageId(1)}x`,
    ` ${newMessageId(1)}`,
  ]) {
    assert.equal(partitionOfMessage(wrong), undefined, wrong);
  }
});

test("a derived id is the same for the same pid, route and key, and another for any other", () => {
  const text = fc.string({ maxLength: 20 });
  fc.assert(
    fc.property(text, text, text, text, (pid, route, key, other) => {
      const id = deriveMessageId(1, pid, route, key);
      assert.equal(id, deriveMessageId(1, pid, route, key));
      fc.pre(other !== key);
      assert.notEqual(id, deriveMessageId(1, pid, route, other));
    }),
  );
  assert.notEqual(deriveMessageId(1, "a/b", "call", "k"), deriveMessageId(1, "a/b", "cast", "k"));
  assert.notEqual(deriveMessageId(1, "a", "bc", "k"), deriveMessageId(1, "ab", "c", "k"));
});
