import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextLoop } from "node:timers/promises";
import type { Context } from "../contract.ts";
import { noreply, ok, reply, stop } from "../returns.ts";
import { defineServer } from "../server-module.ts";
import { createKit, type Kit } from "./kit.ts";

/** A worker that dies, and a process that is killed, at any moment of a turn. */

/** So many rounds of the event loop on, and then so many microtasks. */
interface Moment {
  loops: number;
  ticks: number;
}

const MOMENTS: readonly Moment[] = [0, 1].flatMap((loops) =>
  Array.from({ length: 21 }, (_, ticks) => ({ loops, ticks })),
);
const PID = "clerk/a";
const BOOK = "book/a";

/** Keeps what it is cast, and tells how much it is. */
const book = defineServer({
  name: "book",
  version: 1,
  init: () => [] as unknown[],
  handleCast: (line: unknown, lines) => noreply([...lines, line]),
  handleCall: (line: unknown, _from, lines) => reply(lines.length, [...lines, line]),
});

interface Ask {
  ticks: number;
  how?: "call" | "fail" | "stop" | "wait";
}

interface Done {
  done: string[];
  version: number;
}

/** Has effects on both sides of whatever it waits for, in each of its callbacks. */
function defineClerk(version: number) {
  return defineServer({
    name: "clerk",
    version,
    init: async (_args: unknown, ctx) => {
      await work("init", 4, ctx);
      return ok({ done: ["init"], version }, { continue: 4 });
    },
    handleContinue: async (ticks: number, state: Done, ctx) => {
      await work("continue", ticks, ctx);
      return noreply(add(state, "continue"));
    },
    handleCall: async ({ ticks, how }: Ask, _from, state, ctx) => {
      await work("call", ticks, ctx);
      if (how === "fail") throw new RangeError("as asked");
      const lines = how === "call" ? await ctx.call(BOOK, "asked") : "none";
      const done = add(state, `call, ${lines}`);
      if (how === "stop") return stop("broken", "stopped", done);
      return reply("done", done, how === "wait" ? { timeout: 50 } : undefined);
    },
    handleCast: async ({ ticks, how }: Ask, state, ctx) => {
      await work("cast", ticks, ctx);
      if (how === "fail") throw new RangeError("as asked");
      return noreply(add(state, "cast"));
    },
    handleInfo: (message, state) => noreply(add(state, `info, ${message}`)),
    terminate: async (reason, _state, ctx) => work(`terminate, ${reason}`, 4, ctx),
    codeChange: async (_from, state) => {
      await ticking(4);
      return { ...(state as Done), version };
    },
  });
}

function add(state: Done, done: string): Done {
  return { ...state, done: [...state.done, done] };
}

async function work(what: string, ticks: number, ctx: Context): Promise<void> {
  ctx.log.info({ what });
  ctx.sendAfter(60_000, what, { name: `before ${what}` });
  ctx.cast(BOOK, `${what} begins`);
  await ticking(ticks);
  ctx.cancel(`before ${what}`);
  ctx.sendAfter(60_000, what, { name: `after ${what}` });
  ctx.cast(BOOK, `${what} ends`);
}

async function ticking(ticks: number): Promise<void> {
  for (let tick = 0; tick < ticks; tick += 1) await null;
}

async function pass({ loops, ticks }: Moment): Promise<void> {
  for (let loop = 0; loop < loops; loop += 1) await nextLoop();
  await ticking(ticks);
}

/** What came of the orders, and all that can be seen of the processes, at once and after their timers. */
async function lookAfter(kit: Kit, orders: Promise<unknown>) {
  const result = await orders;
  await kit.settle();
  const timers = kit.timers(PID);
  await kit.advance(60_000);
  return {
    result,
    timers,
    status: kit.status(PID),
    state: kit.state(PID),
    mailbox: kit.mailbox(PID),
    deadLetters: kit.deadLetters(PID).map(({ message, reason, attempts }) => ({ message, reason, attempts })),
    book: kit.state(BOOK),
  };
}

/** What came of them, an error by its message. */
function outcomeOf(orders: Promise<unknown>): Promise<unknown> {
  return orders.catch((error: Error) => error.message);
}

async function newKit({ isStarted = true } = {}): Promise<Kit> {
  const kit = createKit({ modules: [book, defineClerk(1)], startAt: 0 });
  await kit.start("book", { key: "a" });
  if (isStarted) await kit.start("clerk", { key: "a" });
  await kit.settle();
  return kit;
}

interface Scene {
  isStarted?: boolean;
  play: (kit: Kit) => Promise<unknown>;
}

const SCENES: Record<string, Scene> = {
  "init and its continuation": { isStarted: false, play: (kit) => kit.start("clerk", { key: "a" }) },
  "a call that does not wait": { play: (kit) => kit.call(PID, { ticks: 0 }) },
  "a call that waits a little": { play: (kit) => kit.call(PID, { ticks: 1 }) },
  "a call that waits for long": { play: (kit) => kit.call(PID, { ticks: 12 }) },
  "a call that sets a timeout": { play: (kit) => kit.call(PID, { ticks: 3, how: "wait" }) },
  "a call that calls": { play: (kit) => kit.call(PID, { ticks: 2, how: "call" }) },
  "a call that fails": { play: (kit) => kit.call(PID, { ticks: 3, how: "fail" }) },
  "a call that stops": { play: (kit) => kit.call(PID, { ticks: 3, how: "stop" }) },
  "a cast before a call": { play: (kit) => Promise.all([kit.cast(PID, { ticks: 3 }), kit.call(PID, { ticks: 3 })]) },
  "a cast that fails": { play: (kit) => kit.cast(PID, { ticks: 3, how: "fail" }) },
  "a stop": { play: (kit) => kit.stop(PID, "broken") },
  "a change of code": {
    play: async (kit) => {
      kit.upgrade(defineClerk(2));
      return await kit.call(PID, { ticks: 3 });
    },
  },
};

/** The worker of the clerk dies, where there is one, or that of everybody. */
async function crash(kit: Kit, whom: "clerk" | "all"): Promise<void> {
  const isThere = !["stopped", undefined].includes(kit.status(PID));
  if (whom === "all") await kit.crash();
  else if (isThere) await kit.crash(PID);
}

for (const [name, { isStarted = true, play }] of Object.entries(SCENES)) {
  test(`comes to the same after a crash at any moment of ${name}`, async () => {
    const undisturbed = await newKit({ isStarted });
    const expected = await lookAfter(undisturbed, outcomeOf(play(undisturbed)));
    for (const whom of ["clerk", "all"] as const) {
      let reruns = 0;
      for (const moment of MOMENTS) {
        const kit = await newKit({ isStarted });
        const orders = outcomeOf(play(kit));
        await pass(moment);
        await crash(kit, whom);
        assert.deepEqual(await lookAfter(kit, orders), expected, JSON.stringify({ whom, ...moment }));
        if (kit.logs.length > undisturbed.logs.length) reruns += 1;
      }
      assert.ok(reruns > 0, "no crash came in the middle of a turn");
    }
  });
}

test("blames no message for a crash that came before its turn", async () => {
  let between = 0;
  for (const moment of MOMENTS) {
    const kit = await newKit();
    const first = kit.request(PID, { ticks: 3 });
    const second = kit.cast(PID, { ticks: 3 });
    await pass(moment);
    const hasBegun = kit.logs.some(({ fields }) => "what" in fields && fields.what === "cast");
    const crashed = kit.crash(PID);
    if (first.isAnswered && !hasBegun) {
      between += 1;
      kit.crashDuringNextTurn(PID, 2);
    }
    await Promise.all([crashed, first.reply(), second]);
    assert.deepEqual(kit.deadLetters(PID), [], JSON.stringify(moment));
  }
  assert.ok(between > 0, "no crash came between the turns");
});

test("makes all or nothing true of a turn whose process is killed at any moment of it", async () => {
  const results = new Set<unknown>();
  for (const moment of MOMENTS) {
    const kit = await newKit();
    const order = outcomeOf(kit.call(PID, { ticks: 3 }));
    await pass(moment);
    await kit.kill(PID);
    const { result, state, book: lines } = await lookAfter(kit, order);
    const isDone = result === "done";
    assert.deepEqual((state as Done).done.slice(2), isDone ? ["call, none"] : [], JSON.stringify(moment));
    assert.deepEqual((lines as string[]).slice(4), isDone ? ["call begins", "call ends"] : []);
    results.add(result);
  }
  assert.deepEqual([...results], [`no_process: ${PID} stopped before it handled this message`, "done"]);
});
