import assert from "node:assert/strict";
import { test } from "node:test";
import type { Context } from "../contract.ts";
import { Ties } from "./ties.ts";
import { TurnContext, type TurnHost } from "./turn-context.ts";
import { EffectError, TurnEndedError } from "./turn-errors.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");
const YEAR_MS = 366 * 86_400_000;

function aContext(ties = new Ties()) {
  let made = 0;
  const asked: unknown[][] = [];
  const logged: unknown[][] = [];
  const host: TurnHost = {
    now: () => NOW,
    newMessageId: () => `0-${++made}`,
    knowsModule: () => true,
    newKey: () => `key-${++made}`,
    call: async (...given) => asked.push(["call", ...given]),
    startAndWait: async (...given) => void asked.push(["start", ...given]),
    stopAndWait: async (...given) => void asked.push(["stop", ...given]),
    members: async (group) => [`a/${group}`],
  };
  const write = (...line: unknown[]) => void logged.push(line);
  const log = { debug: write, info: write, warn: write, error: write };
  const ctx = new TurnContext({ pid: "room/1", messageId: "3-x", attempt: 2 }, host, ties, log);
  return { ctx, ties, asked, logged };
}

test("knows its process and its message", () => {
  const { ctx } = aContext();
  const { pid, module, key, messageId, attempt } = ctx;
  assert.deepEqual(
    { pid, module, key, messageId, attempt },
    {
      pid: "room/1",
      module: "room",
      key: "1",
      messageId: "3-x",
      attempt: 2,
    },
  );
  assert.equal(ctx.now(), NOW);
});

test("gathers what a turn asks for, in order, as texts", () => {
  const { ctx } = aContext();
  ctx.cast("a/1", { n: 1 });
  ctx.info("a/1", undefined, { delayMs: YEAR_MS });
  ctx.stop("a/1");
  ctx.exit("a/1", "kill");
  ctx.publish("g", [1]);
  ctx.setTags(["red", "blue", "red"]);
  ctx.reply({ pid: "room/1", messageId: "3-y" }, null);
  assert.deepEqual(ctx.effects, [
    { do: "cast", pid: "a/1", messageText: '{"n":1}', delayMs: 0 },
    { do: "info", pid: "a/1", messageText: "null", delayMs: YEAR_MS },
    { do: "stop", pid: "a/1", reason: "normal" },
    { do: "exit", pid: "a/1", reason: "kill" },
    { do: "publish", group: "g", messageText: "[1]" },
    { do: "tags", tags: ["red", "blue"] },
    { do: "reply", from: { pid: "room/1", messageId: "3-y" }, replyText: "null" },
  ]);
});

test("a message is what it was when it was sent, whatever becomes of the object", () => {
  const { ctx } = aContext();
  const message = { n: 1 };
  ctx.cast("a/1", message);
  message.n = 2;
  assert.equal((ctx.effects[0] as { messageText: string }).messageText, '{"n":1}');
});

test("starts a process under a key that is given or new, and says its pid", () => {
  const { ctx } = aContext();
  assert.equal(ctx.start("room", { key: "2", args: [1], tags: ["a"], idleAfterMs: Infinity }), "room/2");
  assert.equal(ctx.start("room"), "room/key-1");
  assert.deepEqual(ctx.effects, [
    { do: "start", pid: "room/2", argsText: "[1]", optionsText: '{"tags":["a"],"idleAfterMs":"infinity"}' },
    { do: "start", pid: "room/key-1", argsText: "null", optionsText: "" },
  ]);
});

test("arms timers, replaces those of the same name, and cancels them", () => {
  const { ctx, ties } = aContext();
  assert.equal(ctx.sendAfter(0, "a", { name: "once" }), "once");
  assert.equal(ctx.sendEvery(10, "b", { name: "once", missed: "all" }), "once");
  const name = ctx.cron("0 9 * * *", "c", { timezone: "Europe/Vienna" });
  assert.match(name, /^~key-/);
  assert.deepEqual(ctx.effects, [
    { do: "arm", name: "once", timer: { id: "0-1", dueAt: NOW }, messageText: '"a"' },
    { do: "disarm", id: "0-1" },
    { do: "arm", name: "once", timer: { id: "0-2", dueAt: NOW + 10, everyMs: 10, missed: "all" }, messageText: '"b"' },
    {
      do: "arm",
      name,
      timer: { id: "0-4", dueAt: Date.parse("2026-01-02T08:00:00Z"), cron: "0 9 * * *", timezone: "Europe/Vienna" },
      messageText: '"c"',
    },
  ]);
  assert.equal(ties.timer("once")?.messageText, '"b"');
  assert.ok(ctx.cancel("once") && ctx.cancel(name));
  assert.equal(ctx.cancel("once"), false);
  assert.equal(ties.size, 0);
});

test("ties are made once, and undone only where they are", () => {
  const { ctx, ties } = aContext();
  const ref = ctx.monitor("a/1");
  assert.notEqual(ctx.monitor("a/1"), ref);
  assert.ok(ctx.demonitor(ref));
  assert.equal(ctx.demonitor(ref), false);
  for (const _ of [1, 2]) {
    ctx.link("a/1");
    ctx.link("room/1");
    ctx.join("g");
  }
  for (const _ of [1, 2]) {
    ctx.unlink("a/1");
    ctx.leave("g");
  }
  assert.deepEqual(
    ctx.effects.map((effect) => effect.do),
    ["monitor", "monitor", "demonitor", "link", "join", "unlink", "leave"],
  );
  assert.equal(ties.size, 1);
});

test("each link has a reference of its own, and an unlink takes back all that the link has by then", () => {
  const { ctx, ties } = aContext();
  ctx.link("a/1");
  ties.addLink("a/1", "of-the-other");
  ctx.unlink("a/1");
  ctx.link("a/1");
  assert.deepEqual(ctx.effects, [
    { do: "link", pid: "a/1", ref: "key-1" },
    { do: "unlink", pid: "a/1", refs: ["key-1", "of-the-other"] },
    { do: "link", pid: "a/1", ref: "key-2" },
  ]);
  assert.deepEqual(ties.linkRefs("a/1"), ["key-2"]);
});

test("what waits asks the runtime, with texts and a time", async () => {
  const { ctx, asked } = aContext();
  await ctx.call("a/1", { n: 1 });
  await ctx.call("a/1", "b", { timeoutMs: 7 });
  assert.equal(await ctx.startAndWait("room", { key: "9", timeoutMs: 8 }), "room/9");
  await ctx.stopAndWait("a/1", "shutdown");
  assert.deepEqual(await ctx.members("g"), ["a/g"]);
  assert.deepEqual(asked, [
    ["call", "a/1", '{"n":1}', 5_000],
    ["call", "a/1", '"b"', 7],
    ["start", "room/9", "null", "", 8],
    ["stop", "a/1", "shutdown", 60_000],
  ]);
  assert.deepEqual(ctx.effects, []);
});

/** Not an error: anything can be thrown. */
function throwText(): never {
  throw "no text";
}

const WRONG: Record<string, (ctx: Context) => unknown> = {
  "ctx.cast: a pid is module/key, not 'a'": (ctx) => ctx.cast("a", 1),
  "ctx.cast: a pid is module/key, not 'a/b/c'": (ctx) => ctx.cast("a/b/c", 1),
  "ctx.info: a pid is module/key, not 'a/..'": (ctx) => ctx.info("a/..", 1),
  "ctx.cast: a pid is module/key, not undefined": (ctx) => ctx.cast(undefined as never, 1),
  "ctx.cast: the message cannot be JSON: Do not know how to serialize a BigInt": (ctx) => ctx.cast("a/1", 1n),
  "ctx.cast: the message cannot be JSON: no text": (ctx) => ctx.cast("a/1", { toJSON: throwText }),
  "ctx.cast: the message has 1048579 bytes; at most 1048576": (ctx) => ctx.cast("a/1", "x".repeat(1_048_577)),
  "ctx.cast: delayMs must be a whole number from 0 to 31622400000, not -1": (ctx) =>
    ctx.cast("a/1", 1, { delayMs: -1 }),
  "ctx.start: the module must be ": (ctx) => ctx.start("a/b"),
  "ctx.start: the key must be ": (ctx) => ctx.start("a", { key: "" }),
  "ctx.start: tags must be at most 16 texts": (ctx) => ctx.start("a", { tags: [""] }),
  "ctx.start: idleAfterMs must be whole ms or Infinity, not 0": (ctx) => ctx.start("a", { idleAfterMs: 0 }),
  "ctx.stop: the reason must be a text of 1 to 256 characters, not ''": (ctx) => ctx.stop("a/1", ""),
  "ctx.exit: the reason must be": (ctx) => ctx.exit("a/1", "x".repeat(257)),
  "ctx.reply: the first argument must be the from of a handleCall, not undefined": (ctx) =>
    ctx.reply(undefined as never, 1),
  "ctx.reply: a pid is module/key, not 5": (ctx) => ctx.reply({ pid: 5, messageId: "0-1" } as never, 1),
  "ctx.sendAfter: ms must be a whole number from 0 to 31622400000, not -1": (ctx) => ctx.sendAfter(-1, 1),
  "ctx.sendAfter: ms must be a whole number from 0 to 31622400000, not 1000000000000": (ctx) => ctx.sendAfter(1e12, 1),
  "ctx.sendEvery: ms must be a whole number from 1 to 31622400000, not 0": (ctx) => ctx.sendEvery(0, 1),
  "ctx.sendEvery: missed must be one of skip, once, all, not 'none'": (ctx) =>
    ctx.sendEvery(1, 1, { missed: "none" as never }),
  "ctx.sendAfter: a timer's name must be 1 to 128 characters, the first neither a space nor ~, not '~a'": (ctx) =>
    ctx.sendAfter(1, 1, { name: "~a" }),
  'ctx.cron: "every day" is not valid: ': (ctx) => ctx.cron("every day", 1),
  "ctx.monitor: a pid is module/key, not ''": (ctx) => ctx.monitor(""),
  "ctx.link: a pid is module/key, not null": (ctx) => ctx.link(null as never),
  "ctx.join: a group's name must be ": (ctx) => ctx.join("x".repeat(10_000)),
  "ctx.publish: a group's name must be ": (ctx) => ctx.publish("a b", 1),
  "ctx.setTags: tags must be at most 16 texts of 1 to 64 characters, not": (ctx) => ctx.setTags(Array(17).fill("a")),
  "ctx.call: timeoutMs must be a whole number from 1 to 600000, not 0": (ctx) => ctx.call("a/1", 1, { timeoutMs: 0 }),
  "ctx.members: a group's name must be ": (ctx) => ctx.members(""),
  "ctx.startAndWait: timeoutMs must be": (ctx) => ctx.startAndWait("a", { timeoutMs: 1.5 }),
  "ctx.stopAndWait: a pid is module/key, not 'x'": (ctx) => ctx.stopAndWait("x"),
};

test("says at its place what is wrong, and does nothing", async () => {
  for (const [message, act] of Object.entries(WRONG)) {
    const { ctx, ties, asked } = aContext();
    await assert.rejects(
      async () => await act(ctx),
      (error: Error) => error instanceof EffectError && error.message.startsWith(message) && error.message.length < 400,
      message,
    );
    assert.deepEqual([ctx.effects, asked, ties.size], [[], [], 0], message);
  }
});

test("has room for 100,000 ties, among which one may be replaced", () => {
  const full = new Ties(Array.from({ length: 100_000 }, (_, n) => [`t:${n}`, '{"id":"0-1","dueAt":5}'] as const));
  const { ctx } = aContext(full);
  const wants = [() => ctx.sendAfter(1, 1), () => ctx.monitor("a/1"), () => ctx.link("a/1"), () => ctx.join("g")];
  for (const want of wants) assert.throws(want, /a process has at most 100000 timers, monitors, links and groups$/);
  assert.deepEqual(ctx.effects, []);
  ctx.sendAfter(1, 1, { name: "7" });
  assert.equal(full.size, 100_000);
});

test("does nothing once its turn has ended, and its signal has fired", async () => {
  const { ctx, ties, asked, logged } = aContext();
  const ref = ctx.monitor("a/2");
  const { signal } = ctx;
  const { log } = ctx;
  const before = [...ctx.effects];
  ctx.seal("it exceeded its deadline");
  ctx.seal("again");
  assert.ok(signal.aborted && ctx.signal === signal && signal.reason instanceof TurnEndedError);
  const acts: ((late: Context) => unknown)[] = [
    (late) => late.cast("a/1", 1),
    (late) => late.info("a/1", 1),
    (late) => late.start("a"),
    (late) => late.stop("a/1"),
    (late) => late.exit("a/1", "kill"),
    (late) => late.reply({ pid: "a/1", messageId: "0-1" }, 1),
    (late) => late.call("a/1", 1),
    (late) => late.startAndWait("a"),
    (late) => late.stopAndWait("a/1"),
    (late) => late.sendAfter(1, 1),
    (late) => late.sendEvery(1, 1),
    (late) => late.cron("* * * * *", 1),
    (late) => late.cancel("x"),
    (late) => late.monitor("a/1"),
    (late) => late.demonitor(ref),
    (late) => late.link("a/1"),
    (late) => late.unlink("a/1"),
    (late) => late.join("g"),
    (late) => late.leave("g"),
    (late) => late.members("g"),
    (late) => late.publish("g", 1),
    (late) => late.setTags([]),
    (late) => late.log,
    () => log.info({}),
  ];
  for (const act of acts) {
    await assert.rejects(
      async () => await act(ctx),
      /TurnEndedError: the turn of room\/1 has ended: it exceeded its deadline/,
    );
  }
  assert.deepEqual([ctx.effects, asked, logged, ties.size], [before, [], [], 1]);
});

test("a signal that is first asked for after the end has fired", () => {
  const { ctx } = aContext();
  ctx.seal("over");
  assert.ok(ctx.signal.aborted);
});

test("logs under its pid", () => {
  const { ctx, logged } = aContext();
  ctx.log.warn({ n: 1 }, "text");
  assert.deepEqual(logged, [[{ pid: "room/1", n: 1 }, "text"]]);
});

test("fields that have a name of the cluster's are kept below `fields`", () => {
  const { ctx, logged } = aContext();
  ctx.log.info({ time: "noon", node: 7, level: 30, pid: "room/2", module: 1, id: 5, fields: [], n: 1 });
  const nested = { time: "noon", node: 7, level: 30, pid: "room/2", module: 1, id: 5, fields: [] };
  assert.deepEqual(logged, [[{ pid: "room/1", n: 1, fields: nested }, undefined]]);
});

test("a reason or a timer's name that was cut within a character is made well formed", () => {
  const { ctx, ties } = aContext();
  const half = "😀".slice(0, 1);
  ctx.exit("a/1", half);
  ctx.stop("a/1", `${half}!`);
  assert.equal(ctx.sendAfter(0, null, { name: half }), "\ufffd");
  const told = ctx.effects.map((effect) => ("reason" in effect ? effect.reason : effect.do));
  assert.deepEqual(told, ["\ufffd", "\ufffd!", "arm"]);
  assert.ok(ties.timer("\ufffd") && ctx.cancel(half));
});
