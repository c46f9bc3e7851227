import assert from "node:assert/strict";
import { test } from "node:test";
import { isPidPart } from "@genserverless/shared/process/pid.ts";
import fc from "fast-check";
import { idOf, nameOf } from "./entity-names.ts";

test("CS-7: every id has a name that a process can have, and the name says the id unless it is a hash", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const id = Buffer.from(text).toString();
      const name = nameOf(id);
      assert.ok(isPidPart(name), name);
      assert.ok(idOf(name) === id || name.startsWith("~~"));
    }),
  );
});

test("CS-7: different ids have different names", () => {
  const ids = [
    "",
    ".",
    "..",
    "~",
    "~~",
    "~2E",
    "a",
    "A",
    "a-b",
    "a b",
    "ä",
    "x".repeat(128),
    "x".repeat(129),
    "x".repeat(130),
  ];
  assert.equal(new Set(ids.map(nameOf)).size, ids.length);
  assert.equal(nameOf("cart_1.a-B"), "cart_1.a-B");
  assert.equal(nameOf("a/b"), "a~2Fb");
});

test("only a name that would be too long is a hash", () => {
  assert.equal(idOf(nameOf("x".repeat(128))), "x".repeat(128));
  assert.equal(idOf(nameOf("x".repeat(129))), undefined);
  assert.equal(idOf(nameOf("/".repeat(42))), "/".repeat(42));
  assert.equal(idOf(nameOf("/".repeat(43))), undefined);
});
