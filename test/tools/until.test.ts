import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./until.ts";

test("resolves with the first truthy answer", async () => {
  let asked = 0;
  assert.equal(await until(() => (++asked === 3 ? "third" : undefined), { withinMs: 20_000, everyMs: 1 }), "third");
});

test("a fact that throws is asked again, and its last error is the cause", async () => {
  const never = () => Promise.reject(new Error("not there"));
  await assert.rejects(until(never, { withinMs: 30, everyMs: 5, what: "it is there" }), (error: Error) => {
    assert.equal(error.message, "not within 30 ms: it is there");
    assert.equal((error.cause as Error).message, "not there");
    return true;
  });
});

test("a question without an answer does not wait for ever", async () => {
  await assert.rejects(
    until(() => new Promise(() => {}), { withinMs: 30, what: "an answer" }),
    /not within 30 ms/,
  );
});
