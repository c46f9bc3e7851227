import assert from "node:assert/strict";
import { test } from "node:test";
import { StateCache } from "./state-cache.ts";

test("GS-9 a state is found under its tag until the process has another", () => {
  const cache = new StateCache();
  const first = cache.keep("a/1", "1");
  assert.equal(cache.find("a/1", first), "1");
  assert.equal(cache.find("a/2", first), undefined);
  const second = cache.keep("a/1", "1");
  assert.notEqual(second, first);
  assert.equal(cache.find("a/1", first), undefined);
  assert.equal(cache.find("a/1", second), "1");
});

test("GS-9 the least recently used states go first, by their number and by their size", () => {
  const few = new StateCache({ mostStates: 2 });
  const [a, b] = [few.keep("a/a", "1"), few.keep("a/b", "2")];
  few.find("a/a", a);
  const c = few.keep("a/c", "3");
  assert.deepEqual([few.find("a/a", a), few.find("a/b", b), few.find("a/c", c)], ["1", undefined, "3"]);

  const small = new StateCache({ mostCharacters: 10 });
  const [x, y] = [small.keep("a/x", "12345"), small.keep("a/y", "67890")];
  assert.equal(small.find("a/x", x), "12345");
  const z = small.keep("a/z", "1");
  assert.deepEqual([small.find("a/x", x), small.find("a/y", y), small.find("a/z", z)], ["12345", undefined, "1"]);
  const huge = small.keep("a/huge", "x".repeat(11));
  assert.equal(small.find("a/huge", huge), undefined);
  assert.equal(small.find("a/x", x), undefined);
});
