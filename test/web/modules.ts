/** The modules of the web app under test. */

import { setTimeout as sleep } from "node:timers/promises";
import { type Context, defineServer, noreply, reply, stop } from "genserverless";
import { z } from "zod";

interface Count {
  total: number;
  turns: number;
  notes: unknown[];
}

const VERSION = Number(process.env["APP_VERSION"] ?? 1);

export const counter = defineServer({
  name: "web-counter",
  version: VERSION,
  turnTimeoutMs: 3_000,
  retry: { attempts: 300, backoff: 200 },
  init: (args: { from?: number; stop?: true } | null): Count =>
    args?.stop ? (stop("not today") as never) : { total: args?.from ?? 0, turns: 0, notes: [] },
  calls: {
    total: (_args, _from, state) => reply(state.total, state),
    add: {
      args: z.number().int(),
      handle: (by, _from, state: Count) => {
        const next = { ...state, total: state.total + by, turns: state.turns + 1 };
        return reply(next.total, next);
      },
    },
    notes: (_args, _from, state) => reply(state.notes, state),
    /** Asks two processes at once, then a third, and keeps what they said. */
    sum: {
      args: z.array(z.string()).length(3),
      handle: async ([a, b, c], _from, state: Count, ctx) => {
        const both = await Promise.all([ctx.call(String(a), "total"), ctx.call(String(b), "total")]);
        ctx.cast(String(c), 1);
        const third = await ctx.call(String(c), { add: Number(both[0]) + Number(both[1]) });
        ctx.log.info({ third }, "asked three");
        return reply({ both, third, now: ctx.now() }, { ...state, notes: [...state.notes, third] });
      },
    },
    askNobody: async (_args, _from, state: Count, ctx) => {
      const error = await ctx.call("accumulator/nobody", "total").catch((thrown: unknown) => thrown);
      const { name, code, message } = error as { name: string; code: string; message: string };
      return reply({ name, code, message }, state);
    },
    startTwo: async (_args, _from, state: Count, ctx) => {
      const started = await ctx.startAndWait("accumulator", { args: 7 });
      const total = await ctx.call(started, "total");
      await ctx.stopAndWait(started);
      return reply({ started, total, later: ctx.start("accumulator", { args: 1, tags: ["of-web"] }) }, state);
    },
    throws: () => {
      throw new RangeError("too much for the app");
    },
    asksAnew: async (_args, _from, state: Count, ctx) => {
      await ctx.call("accumulator/other", { add: Math.random() });
      return reply(null, state);
    },
    startsNonsense: (_args, _from, state: Count, ctx) => {
      ctx.start("no-such-module");
      return reply(null, state);
    },
    slow: {
      args: z.number(),
      handle: async (ms, _from, state: Count) => {
        await sleep(ms);
        return reply("slept", state);
      },
    },
    big: { args: z.number(), handle: (size, _from, state: Count) => reply("x".repeat(size), state) },
    remember: {
      args: z.number(),
      handle: (size, _from, state: Count) => reply(null, { ...state, notes: ["x".repeat(size)] }),
    },
    timers: (_args, _from, state: Count, ctx) => reply(setTimers(ctx), state),
    ties: async (_args, _from, state: Count, ctx) => {
      const ref = ctx.monitor("accumulator/watched");
      ctx.join("web-group");
      ctx.setTags(["tagged"]);
      return reply({ ref, members: await ctx.members("web-group") }, state);
    },
    cancel: { args: z.string(), handle: (name, _from, state: Count, ctx) => reply(ctx.cancel(name), state) },
    continues: (_args, _from, state: Count) => reply("continuing", state, { continue: { more: 1 } }),
    defers: (_args, from, state: Count) => noreply({ ...state, notes: [from] }),
    ends: (_args, _from, state: Count) => stop("done", "bye", state),
  },
  casts: {
    /** The sink is told once for each cast that counts. */
    add: {
      args: z.object({ by: z.number(), sink: z.string().optional() }),
      handle: ({ by, sink }, state: Count, ctx) => {
        if (sink) ctx.cast(sink, by);
        return noreply({ ...state, total: state.total + by, turns: state.turns + 1 });
      },
    },
    answer: (value, state: Count, ctx) => {
      ctx.reply(state.notes[0] as Parameters<Context["reply"]>[0], value);
      return noreply({ ...state, notes: [] });
    },
  },
  handleInfo: (message, state) => noreply({ ...state, notes: [...state.notes, message] }),
  handleContinue: (value, state) => noreply({ ...state, notes: [...state.notes, value] }),
  terminate: (reason, state, ctx) => {
    ctx.log.info({ reason, final: state.total }, "web-counter terminate");
    ctx.cast("accumulator/heir", state.total);
  },
  codeChange: (fromVersion, state) => ({ ...(state as Count), notes: [`changed from ${fromVersion} to ${VERSION}`] }),
});

function setTimers(ctx: Context) {
  const unnamed = ctx.sendAfter(50, "unnamed");
  const named = ctx.sendAfter(60, "named", { name: "once" });
  ctx.sendEvery(3_600_000, "hourly", { name: "often" });
  ctx.cron("0 0 1 1 *", "yearly", { name: "yearly", timezone: "Europe/Vienna" });
  ctx.sendAfter(10, "cancelled", { name: "never" });
  ctx.cancel("never");
  return { unnamed, named };
}

/** No handlers with names, no retry, and its state is forgotten nowhere. */
export const plain = defineServer({
  name: "web-plain",
  version: 1,
  turnTimeoutMs: 3_000,
  keepState: "always",
  init: (args: unknown) => ({ args, heard: [] as unknown[] }),
  handleCall: (message: unknown, _from, state) => {
    const next = { ...state, heard: [...state.heard, message] };
    return reply(next, next);
  },
  handleCast: (message: unknown, state) => noreply({ ...state, heard: [...state.heard, message] }),
});

/** Has the name of a module that the cluster has itself. */
export const accumulator = defineServer({ name: "accumulator", version: 9, init: () => "of the web app" });
