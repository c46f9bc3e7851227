import { setTimeout as sleep } from "node:timers/promises";
import { type Context, defineServer, noreply, reply, stop } from "genserverless";

/** Does whatever a callback should not do. */
export default defineServer({
  name: "troublemaker",
  version: 1,
  turnTimeoutMs: 2_000,
  init: (args: { init?: "throw" | "stop" | "nonsense" | "continue" } | null) => {
    if (args?.init === "throw") throw new Error("no start today");
    if (args?.init === "stop") return stop("not needed") as never;
    if (args?.init === "nonsense") return undefined as never;
    return { count: 0, notes: [] as string[] };
  },
  handleCall: (message: Trouble, _from, state, ctx) => makeTrouble(message, state, ctx),
  handleCast: async (message: Trouble, state, ctx) => {
    const returned = await makeTrouble(message, state, ctx);
    return noreply(returned.state);
  },
  handleContinue: (value: unknown, state) => {
    if (value === "loop") for (;;);
    return noreply({ ...state, notes: [...state.notes, `continued ${value}`] });
  },
  terminate: async (reason, _state, ctx) => {
    if (reason !== "slowly") return;
    ctx.log.info({ reason }, "troublemaker ends");
    await sleep(400);
  },
});

interface State {
  count: number;
  notes: string[];
}

export type Trouble =
  | {
      do:
        | "add"
        | "read"
        | "throw"
        | "throw-text"
        | "throw-odd"
        | "stray"
        | "nonsense"
        | "hang"
        | "loop"
        | "mutate-and-throw"
        | "bigint"
        | "cycle";
    }
  | { do: "big"; bytes: number }
  | { do: "sleep"; ms: number }
  | { do: "log"; fields: object }
  | { do: "overstay"; ms: number }
  | { do: "stop"; reason: string }
  | { do: "continue"; value: unknown }
  | { do: "hibernate" };

/** What code that outlived its turn met; read by a later call. */
const aftermath = new Map<string, string>();

async function makeTrouble(message: Trouble, state: State, ctx: Context) {
  switch (message.do) {
    case "add":
      return reply(state.count + 1, { ...state, count: state.count + 1 });
    case "read":
      return reply({ ...state, aftermath: aftermath.get(ctx.pid) ?? null }, state);
    case "throw":
      throw new RangeError("as asked");
    case "throw-text":
      throw "a text";
    case "throw-odd":
      throw Object.create(null);
    case "stray":
      setTimeout(() => ctx.log.info({}, "beside its turn"), 20);
      void sleep(20).then(() => Promise.reject(new Error("nobody waits for this")));
      return reply("gone astray", state);
    case "nonsense":
      return { neither: "this" } as never;
    case "hang":
      return await new Promise<never>(() => {});
    case "loop":
      for (;;);
    case "mutate-and-throw":
      state.count = 1_000_000;
      state.notes.push("mutated");
      throw new Error("after a mutation");
    case "bigint":
      return reply(null, { ...state, count: 1n as never });
    case "cycle": {
      const cycle: Record<string, unknown> = {};
      cycle["self"] = cycle;
      return reply(null, cycle as never);
    }
    case "big":
      return reply(null, { ...state, notes: ["x".repeat(message.bytes)] });
    case "sleep":
      ctx.log.info({ sleeping: message.ms }, "troublemaker sleeps");
      await sleep(message.ms);
      return reply(state.count + 1, { ...state, count: state.count + 1 });
    case "log":
      ctx.log.warn(message.fields, "troublemaker says");
      return reply(null, state);
    case "overstay":
      return await overstay(message.ms, state, ctx);
    case "stop":
      return stop(message.reason, "stopped", state) as never;
    case "continue":
      return reply("continuing", state, { continue: message.value });
    case "hibernate":
      return reply("good night", state, "hibernate");
  }
}

/** Goes on after its deadline, changes the state it was given, and tries to use its context. */
async function overstay(ms: number, state: State, ctx: Context) {
  await sleep(ms);
  state.count = 2_000_000;
  const aborted = ctx.signal.aborted;
  try {
    ctx.log.info({}, "troublemaker is still here");
    aftermath.set(ctx.pid, "its context still worked");
  } catch (error) {
    aftermath.set(ctx.pid, `${(error as Error).name}, aborted ${aborted}`);
  }
  return reply("too late", state);
}
