import assert from "node:assert/strict";
import { test } from "node:test";
import { Turnstile } from "./turnstile.ts";

test("so many pass at once, one of each name, and a failure holds nobody up", async () => {
  const turnstile = new Turnstile(2);
  const order: string[] = [];
  let [inside, most] = [0, 0];
  const act = (name: string) => async () => {
    most = Math.max(most, ++inside);
    await new Promise(setImmediate);
    order.push(name);
    inside--;
    if (name === "a1") throw new Error("on purpose");
  };
  const passes = ["a1", "a2", "b1", "c1", "a3"].map((name) => turnstile.pass(name.charAt(0), act(name)));
  const settled = await Promise.allSettled(passes);
  assert.deepEqual(
    settled.map(({ status }) => status === "fulfilled"),
    [false, true, true, true, true],
  );
  assert.equal(most, 2);
  assert.deepEqual(
    order.filter((name) => name.startsWith("a")),
    ["a1", "a2", "a3"],
  );
});
