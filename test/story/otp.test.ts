import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallError, defineServer, noreply, reply } from "genserverless";
import { createKit } from "genserverless/testing";

/** What docs/otp.md says in words that no other test says. On the test kit. */

const voter = defineServer({
  name: "voter",
  version: 1,
  init: (vote: string | null, ctx) => {
    ctx.join("voters");
    return { vote };
  },
  handleCall: (_message: "vote?", _from, state) => (state.vote === null ? noreply(state) : reply(state.vote, state)),
});

const poll = defineServer({
  name: "poll",
  version: 1,
  init: () => ({}),
  handleCall: async (_message: "count", _from, state, ctx) => {
    const members = await ctx.members("voters");
    const ask = (pid: string) =>
      ctx.call(pid, "vote?", { timeoutMs: 100 }).catch((error: CallError) => ({ missing: error.code }));
    const answers = await Promise.all(members.map(ask));
    return reply(Object.fromEntries(members.map((pid, index) => [pid, answers[index]])), state);
  },
});

test("multi_call: a turn calls every member of a group at once, and knows who did not answer", async () => {
  const kit = createKit({ modules: [voter, poll] });
  await kit.start("voter", { key: "a", args: "yes" });
  await kit.start("voter", { key: "b", args: "no" });
  await kit.start("voter", { key: "c", args: null });
  const pid = await kit.start("poll");
  const began = kit.now();
  assert.deepEqual(await kit.call(pid, "count"), {
    "voter/a": "yes",
    "voter/b": "no",
    "voter/c": { missing: "call_timeout" },
  });
  assert.equal(kit.now() - began, 100);
});

/** A process that comes back with its state has to be told: it has no timers, and init has not run. */
const clock = defineServer({
  name: "clock",
  version: 1,
  onDemand: true,
  init: (_args: unknown, ctx) => {
    ctx.sendEvery(1_000, "tick", { name: "tick" });
    return { ticks: 0 };
  },
  handleCast: (_message: "wind up", state, ctx) => {
    ctx.sendEvery(1_000, "tick", { name: "tick" });
    return noreply(state);
  },
  handleInfo: (_message: "tick", state) => noreply({ ticks: state.ticks + 1 }),
});

test("a process that was stopped with its state kept comes back without timers, and can be told to set them again", async () => {
  const kit = createKit({ modules: [clock] });
  const pid = await kit.start("clock", { key: "c" });
  await kit.advance(2_000);
  await kit.stop(pid, "moved");
  await kit.start("clock", { key: "c" });
  await kit.advance(5_000);
  assert.deepEqual([kit.state(pid), kit.timers(pid)], [{ ticks: 2 }, []]);
  await kit.cast(pid, "wind up");
  await kit.advance(1_000);
  assert.deepEqual(kit.state(pid), { ticks: 3 });
});

test("a crash of a callback ends nothing: who is linked to the process or monitors it is not told", async () => {
  const fragile = defineServer({
    name: "fragile",
    version: 1,
    init: () => 0,
    handleCast: () => {
      throw new Error("as asked");
    },
  });
  const watcher = defineServer({
    name: "watcher",
    version: 1,
    init: (pid: string, ctx) => {
      ctx.monitor(pid);
      ctx.link(pid);
      return [] as unknown[];
    },
    handleInfo: (info: unknown, state) => noreply([...state, info]),
  });
  const kit = createKit({ modules: [fragile, watcher] });
  const pid = await kit.start("fragile");
  const other = await kit.start("watcher", { args: pid });
  await kit.cast(pid, "boom");
  assert.deepEqual([kit.status(pid), kit.deadLetters(pid).length, kit.state(other)], ["idle", 1, []]);
});
