import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import stack from "./stack.ts";

async function start(args?: unknown) {
  const kit = createKit({ modules: [stack] });
  return { kit, pid: await kit.start("stack", { args }) };
}

test("starts from a list, and empty without one", async () => {
  for (const [args, state] of [
    [["hello"], ["hello"]],
    [undefined, []],
    [null, []],
  ]) {
    const { kit, pid } = await start(args);
    assert.deepEqual(kit.state(pid), state);
  }
});

test("does not start from anything else", async () => {
  for (const stranger of ["hello", 1, {}, false]) {
    await assert.rejects(start(stranger), {
      code: "init_failed",
      message: /TypeError: stack starts from a list, not /,
    });
  }
});

test("pushes onto the top", async () => {
  const { kit, pid } = await start(["hello"]);
  await kit.cast(pid, { push: "world" });
  assert.deepEqual(kit.state(pid), ["world", "hello"]);
});

test("takes null, false and a list as elements", async () => {
  for (const element of [null, false, []]) {
    const { kit, pid } = await start([1]);
    await kit.cast(pid, { push: element });
    assert.deepEqual(kit.state(pid), [element, 1]);
  }
});

test("pops the top", async () => {
  const { kit, pid } = await start(["world", "hello"]);
  assert.equal(await kit.call(pid, "pop"), "world");
  assert.deepEqual(kit.state(pid), ["hello"]);
});

test("peeks at the top and tells its size without a change of state", async () => {
  const { kit, pid } = await start(["world", "hello"]);
  assert.deepEqual([await kit.call(pid, "peek"), await kit.call(pid, "size")], ["world", 2]);
  assert.deepEqual(kit.state(pid), ["world", "hello"]);
});

test("pops and peeks null when it is empty, and stays empty", async () => {
  const { kit, pid } = await start();
  assert.deepEqual([await kit.call(pid, "pop"), await kit.call(pid, "peek")], [null, null]);
  assert.deepEqual(kit.state(pid), []);
});

test("throws for messages it does not know", async () => {
  const { kit, pid } = await start();
  await assert.rejects(kit.call(pid, "push"), { message: /pop, peek and size, not "push"$/ });
  await kit.cast(pid, { pop: 1 });
  await kit.cast(pid, null);
  const [last, first] = kit.deadLetters(pid).map(({ reason }) => reason);
  assert.match(String(first), /takes \{ push \}, not \{"pop":1\}$/);
  assert.match(String(last), /TypeError/);
});
