import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../contract.ts";
import { noreply, reply } from "../returns.ts";
import { defineServer } from "../server-module.ts";
import { createKit, type KitOptions } from "./kit.ts";

/** Adds what it is cast; what it is asked to do beside that it does with its context. */
type Ask = "read" | { later: number } | { waitOutside: number } | { to: string };

const counter = defineServer({
  name: "counter",
  version: 1,
  init: (count: number | null) => ({ count: count ?? 0 }),
  handleCast: (add: number, state, ctx) => {
    if (add < 0) throw new RangeError("only upwards");
    ctx.log.info({ add }, "counter adds");
    return noreply({ count: state.count + add });
  },
  handleCall: async (ask: Ask, from, state, ctx) => {
    if (ask === "read") return reply(state.count, state);
    if ("later" in ask) {
      ctx.sendAfter(ask.later, { answer: from }, { name: "answer" });
      return noreply(state);
    }
    if ("waitOutside" in ask) await sleep(ask.waitOutside);
    if ("to" in ask) ctx.cast(ask.to, state.count);
    return reply("done", state);
  },
  handleInfo: (message: { answer: Parameters<Context["reply"]>[0] } | { every: number }, state, ctx) => {
    if ("answer" in message) ctx.reply(message.answer, ctx.now());
    if ("every" in message) ctx.sendEvery(message.every, { tick: true }, { name: "tick" });
    return noreply(state);
  },
});

const START = Date.UTC(2024, 1, 29);
const newKit = (options: Partial<KitOptions> = {}) => createKit({ modules: [counter], startAt: START, ...options });

test("has handled what was sent, and all that follows, when it is awaited", async () => {
  const kit = newKit();
  const [one, other] = [await kit.start("counter", { key: "one", args: 1 }), await kit.start("counter")];
  await kit.cast(one, 4);
  assert.deepEqual(kit.state(one), { count: 5 });
  await kit.call(one, { to: other });
  assert.deepEqual(kit.state(other), { count: 5 });
  assert.equal(kit.now(), START);
});

test("handles what was sent without waiting in the order in which it was sent", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  void kit.cast(pid, 1);
  void kit.cast(pid, 2);
  assert.deepEqual(
    kit.mailbox(pid).map(({ kind, message }) => [kind, message]),
    [
      ["cast", 1],
      ["cast", 2],
    ],
  );
  assert.equal(await kit.call(pid, "read"), 3);
});

test("makes the same keys and ids in every run of one seed", async () => {
  const run = async (seed: number) => {
    const kit = newKit({ seed });
    const pid = await kit.start("counter");
    await kit.cast(pid, -1);
    return [pid, kit.deadLetters(pid)[0]?.messageId];
  };
  assert.deepEqual(await run(1), await run(1));
  assert.notDeepEqual(await run(1), await run(2));
});

test("lets time pass for a call that only time can answer, and no further", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  assert.equal(await kit.call(pid, { later: 1_500 }), START + 1_500);
  assert.equal(kit.now(), START + 1_500);
  await assert.rejects(kit.call(pid, { later: 9_000 }), { code: "call_timeout" });
  assert.equal(kit.now(), START + 6_500);
});

test("leaves time to the test where it sends a request, or has not awaited its call yet", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  const request = kit.request(pid, { later: 100 });
  const call = kit.call(pid, "read");
  await kit.advance(99);
  assert.deepEqual([request.isAnswered, await call, kit.now()], [false, 0, START + 99]);
  await kit.advance(1);
  assert.equal(request.isAnswered, true);
  const other = kit.call(pid, { later: 100 });
  await kit.advance(50);
  assert.equal(kit.now(), START + 150);
  assert.equal(await other, START + 200);
});

test("shows timers, and fires each that is due on the way at its time", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  await kit.info(pid, { every: 400 });
  const tick = { name: "tick", everyMs: 400, message: { tick: true } };
  assert.deepEqual(kit.timers(pid), [{ ...tick, dueAt: START + 400 }]);
  await kit.advance(1_000);
  assert.deepEqual(kit.timers(pid), [{ ...tick, dueAt: START + 1_200 }]);
  assert.deepEqual([kit.now(), kit.read(pid)?.turns], [START + 1_000, 4]);
});

test("keeps what processes send in their outboxes until it is released", async () => {
  const kit = newKit();
  const [one, other] = [await kit.start("counter", { args: 3 }), await kit.start("counter")];
  kit.hold();
  await kit.call(one, { to: other });
  assert.deepEqual(kit.outbox(one), [{ do: "cast", to: other, message: 3 }]);
  assert.deepEqual(kit.state(other), { count: 0 });
  await kit.release();
  assert.deepEqual([kit.outbox(one), kit.state(other)], [[], { count: 3 }]);
});

test("runs a turn again whose worker died before the commit, and what it did has been done once", async () => {
  const kit = newKit();
  const [one, other] = [await kit.start("counter", { args: 3 }), await kit.start("counter")];
  kit.crashDuringNextTurn(one);
  await kit.call(one, { to: other });
  assert.deepEqual(kit.state(other), { count: 3 });
  kit.crashDuringNextTurn(one);
  await kit.cast(one, 1);
  assert.deepEqual(kit.state(one), { count: 4 });
  assert.equal(kit.events.filter(({ event }) => event === "process.crashed").length, 2);
  assert.equal(kit.logs.filter(({ text }) => text === "counter adds").length, 3);
});

test("sets a message aside that has ended three workers", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  kit.crashDuringNextTurn(pid, 3);
  await kit.cast(pid, 1);
  assert.deepEqual(kit.state(pid), { count: 0 });
  assert.match(kit.deadLetters(pid)[0]?.reason ?? "", /^3 nodes died/);
});

test("tells what a crash would lose", async () => {
  const lazy = defineServer({ ...counterAs("lazy"), writePolicy: { every: { ms: 1_000 } } });
  const kit = newKit({ modules: [lazy] });
  const pid = await kit.start("lazy");
  await kit.cast(pid, 1);
  assert.deepEqual([kit.state(pid), kit.storedState(pid)], [{ count: 1 }, { count: 0 }]);
  await kit.crash(pid);
  assert.deepEqual(kit.state(pid), { count: 0 });
  await kit.cast(pid, 2);
  await kit.advance(1_000);
  await kit.crash();
  assert.deepEqual(kit.state(pid), { count: 2 });
});

test("puts a process to sleep after its idle time, and wakes it by a message", async () => {
  const kit = newKit();
  const pid = await kit.start("counter", { idleAfterMs: 5_000, tags: ["a"] });
  await kit.advance(4_999);
  assert.equal(kit.isAwake(pid), true);
  await kit.advance(1);
  assert.deepEqual([kit.isAwake(pid), kit.status(pid), kit.tags(pid)], [false, "idle", ["a"]]);
  assert.equal(await kit.call(pid, "read"), 0);
  assert.equal(kit.isAwake(pid), true);
});

test("keeps what a module and a test do to a returned state out of the process", async () => {
  const leaky = defineServer({
    name: "leaky",
    version: 1,
    init: () => ({ list: [1], map: new Map() }),
    handleCall: (_message: unknown, _from, state) => {
      setImmediate(() => state.list.push(2));
      return reply(state, state);
    },
  });
  const kit = newKit({ modules: [leaky] });
  const pid = await kit.start("leaky");
  const answer = (await kit.call(pid, 1)) as { list: number[] };
  answer.list.push(3);
  (kit.state(pid) as { list: number[] }).list.push(4);
  assert.deepEqual(await kit.call(pid, 1), { list: [1], map: {} });
});

test("waits for what a callback does outside of the kit, in real time", async () => {
  const kit = newKit({ patienceMs: 20_000 });
  const pid = await kit.start("counter");
  await kit.call(pid, { waitOutside: 20 });
  const late = kit.request(pid, { waitOutside: 20 });
  await kit.settle();
  assert.equal(late.isAnswered, true);
  assert.equal(kit.now(), START);
});

test("is not held up by a test's own timers", async () => {
  mock.timers.enable();
  try {
    const kit = newKit();
    assert.equal(await kit.call(await kit.start("counter"), "read"), 0);
  } finally {
    mock.timers.reset();
  }
});

test("ends a turn that hangs when its time is over, and no real time passes but the kit's patience", async () => {
  const hanging = defineServer({
    ...counterAs("hanging"),
    turnTimeoutMs: 60_000,
    handleCast: () => new Promise<never>(() => {}),
  });
  const kit = newKit({ modules: [hanging], patienceMs: 10 });
  const pid = await kit.start("hanging");
  await kit.cast(pid, 1);
  assert.equal(kit.status(pid), "running");
  await kit.advance(60_000);
  assert.match(kit.deadLetters(pid)[0]?.reason ?? "", /hanging\.handleCast was not done within 60000 ms/);
});

test("tries again after the backoff, which doubles", async () => {
  const at: number[] = [];
  const stubborn = defineServer({
    ...counterAs("stubborn"),
    retry: { attempts: 4, backoff: { type: "exponential", delay: 100 } },
    handleCast: (_message: number, state, ctx) => {
      at.push(ctx.now() - START);
      if (ctx.attempt < 4) throw new RangeError("not yet");
      return noreply(state);
    },
  });
  const kit = newKit({ modules: [stubborn] });
  const pid = await kit.start("stubborn");
  await kit.cast(pid, 1);
  assert.deepEqual(
    kit.mailbox(pid).map(({ attempt }) => attempt),
    [2],
  );
  await kit.advance(1_000);
  assert.deepEqual(at, [0, 100, 300, 700]);
});

test("refuses what a module's named handlers do not take, as the api does", async () => {
  const strict = defineServer({
    name: "strict",
    version: 1,
    init: () => 0,
    casts: {
      add: { args: schemaOf((value) => typeof value === "number"), handle: (by, state) => noreply(state + Number(by)) },
    },
  });
  const kit = newKit({ modules: [strict] });
  const pid = await kit.start("strict");
  await kit.cast(pid, { add: 2 });
  await assert.rejects(kit.cast(pid, { add: "2" }), { code: "invalid_message" });
  await assert.rejects(kit.cast(pid, "subtract"), { code: "invalid_message" });
  assert.deepEqual([kit.state(pid), kit.deadLetters(pid)], [2, []]);
});

test("tells of what nobody took", async () => {
  const kit = newKit();
  const pid = await kit.start("counter");
  await kit.call(pid, { to: "counter/nobody" });
  const [event] = kit.events.filter(({ event: name }) => name === "message.undeliverable");
  assert.deepEqual([event?.pid, event?.["sender"], event?.["reason"]], ["counter/nobody", pid, "no_process"]);
});

test("says what is wrong with how it is used", async () => {
  assert.throws(() => createKit({ modules: [counter, counter] }), /two modules are called counter/);
  const kit = newKit();
  await assert.rejects(kit.start("nobody"), { code: "unknown_module" });
  await assert.rejects(kit.call("no pid", 1), /a pid is module\/key, not "no pid"/);
  await assert.rejects(kit.crash("counter/nobody"), { code: "no_process" });
  const pid = await kit.start("counter", { key: "a" });
  await assert.rejects(kit.start("counter", { key: "a" }), { code: "already_started" });
  assert.equal(await kit.start("counter", { key: "a", ifExists: "return" }), pid);
});

/** The counter's callbacks under another name. */
function counterAs(name: string) {
  const { init, handleCast, handleCall } = counter;
  return { name, version: 1, init, ...(handleCast && { handleCast }), ...(handleCall && { handleCall }) };
}

/** A validator without a library. */
function schemaOf(isRight: (value: unknown) => boolean) {
  const validate = (value: unknown) => (isRight(value) ? { value } : { issues: [{ message: "is not right" }] });
  return { "~standard": { version: 1 as const, vendor: "test", validate } };
}
