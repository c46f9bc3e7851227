/**
 * The module of the contract's cases: its messages are small programs, and it notes what else it is sent. What a case needs
 * of a module beside that – that it traps exits, say – is an option, and a file in `modules/`.
 */

import {
  CallError,
  type Context,
  type Definition,
  defineServer,
  type From,
  ignore,
  type Next,
  noreply,
  ok,
  reply,
  type ServerModule,
  stop,
} from "genserverless";

/** What one step does; its result is the program's when it is the last. */
export type Step =
  | { do: "note"; note: unknown }
  | { do: "notes" | "attempt" | "now" | "throw" | "hang" | "defer" }
  /** Fails unless this is at least the attempt of that number. */
  | { do: "insist"; attempt: number }
  | { do: "cast" | "info"; pid: string; message: unknown; delayMs?: number }
  | { do: "start" | "startAndWait"; module: string; key?: string; args?: unknown }
  | { do: "stop" | "stopAndWait" | "exit"; pid: string; reason: string }
  /** Results in the reply, or in the error's code and detail. */
  | { do: "call"; pid: string; message: unknown; timeoutMs?: number }
  /** Answers whoever waits for this actor, or for another. */
  | { do: "answer"; value: unknown; from?: From }
  | { do: "sendAfter"; ms: number; message: unknown; name?: string }
  | { do: "sendEvery"; ms: number; message: unknown; name?: string; missed?: "skip" | "once" | "all" }
  | { do: "cron"; expression: string; message: unknown; name?: string; timezone?: string }
  | { do: "cancel"; name: string }
  | { do: "monitor" | "link" | "unlink"; pid: string }
  | { do: "demonitor"; ref: string }
  | { do: "join" | "leave" | "members"; group: string }
  | { do: "publish"; group: string; message: unknown }
  | { do: "tags"; tags: string[] }
  /** What the callback returns, instead of going on. */
  | { do: "next"; next: Next }
  | { do: "end"; reason: string; reply?: unknown }
  /** What terminate does. */
  | { do: "at-the-end"; run: Step[] };

interface Program {
  run: Step[];
}

export interface ActorState {
  notes: unknown[];
  /** Who waits for an answer. */
  deferred: From[];
  last: Step[];
}

/** A start's arguments: what init returns unless it goes on, and what it does before. */
type ActorArgs = (Partial<Program> & { init?: "ignore" | "stop" | "throw"; next?: Next }) | null;

interface Run {
  result: unknown;
  next: Next | undefined;
  end: { reason: string; reply?: unknown } | undefined;
  isDeferred: boolean;
}

type Options = Omit<Definition<ActorState, never, never, never, never, never>, "version" | "init">;

export function defineActor(options: Options & { name: string }): ServerModule {
  return defineServer({
    version: 1,
    ...(options as object as { name: string }),
    init: async (args: ActorArgs, ctx) => {
      if (args?.init === "ignore") return ignore();
      if (args?.init === "stop") return stop("not needed");
      if (args?.init === "throw") throw new Error("no start today");
      const state: ActorState = { notes: [], deferred: [], last: [] };
      await run(args?.run ?? [], state, undefined, ctx);
      return ok(state, args?.next);
    },
    handleCall: async (message: unknown, from, state, ctx) => {
      const { result, next, end, isDeferred } = await handle("call", message, state, from, ctx);
      if (end) return "reply" in end ? stop(end.reason, end.reply, state) : stop(end.reason, state);
      return isDeferred ? noreply(state, next) : reply(result, state, next);
    },
    handleCast: async (message: unknown, state, ctx) => {
      const { next, end } = await handle("cast", message, state, undefined, ctx);
      return end ? stop(end.reason, state) : noreply(state, next);
    },
    handleInfo: async (message: unknown, state, ctx) => {
      const { next, end } = await handle("info", message, state, undefined, ctx);
      return end ? stop(end.reason, state) : noreply(state, next);
    },
    handleContinue: async (value, state, ctx) => {
      const { next, end } = await handle("continue", value, state, undefined, ctx);
      return end ? stop(end.reason, state) : noreply(state, next);
    },
    terminate: async (_reason, state, ctx) => {
      await run(state.last, state, undefined, ctx);
    },
  }) as ServerModule;
}

async function handle(kind: string, message: unknown, state: ActorState, from: From | undefined, ctx: Context) {
  if (isProgram(message)) return await run(message.run, state, from, ctx);
  state.notes.push([kind, message]);
  return { result: null, next: undefined, end: undefined, isDeferred: false };
}

async function run(steps: readonly Step[], state: ActorState, from: From | undefined, ctx: Context): Promise<Run> {
  const ran: Run = { result: null, next: undefined, end: undefined, isDeferred: false };
  for (const step of steps) {
    if (step.do === "next") ran.next = step.next;
    else if (step.do === "end") ran.end = step;
    else if (step.do === "defer" && from) {
      state.deferred.push(from);
      ran.isDeferred = true;
    } else ran.result = (await take(step, state, ctx)) ?? null;
  }
  return ran;
}

async function take(step: Step, state: ActorState, ctx: Context): Promise<unknown> {
  switch (step.do) {
    case "note":
      state.notes.push(step.note);
      return undefined;
    case "notes":
      return state.notes;
    case "attempt":
      return ctx.attempt;
    case "now":
      return ctx.now();
    case "throw":
      state.notes.push("about to throw");
      throw new RangeError("as asked");
    case "insist":
      if (ctx.attempt < step.attempt) throw new RangeError(`not at attempt ${ctx.attempt}`);
      return undefined;
    case "hang":
      return await new Promise<never>(() => {});
    case "at-the-end":
      state.last = step.run;
      return undefined;
    case "answer":
      for (const from of step.from ? [step.from] : state.deferred) ctx.reply(from, step.value);
      return undefined;
    case "call":
      return await ctx.call(step.pid, step.message, step).catch((error: CallError) => describe(error));
    default:
      return await takeEffect(step, ctx);
  }
}

function describe(error: CallError): unknown {
  if (error instanceof CallError) return { code: error.code, detail: error.message };
  throw error;
}

type EffectStep = Exclude<Step, { do: "note" | "insist" | "at-the-end" | "answer" | "call" | "next" | "end" }>;

function takeEffect(step: Step, ctx: Context): unknown {
  switch (step.do) {
    case "cast":
    case "info":
      return ctx[step.do](step.pid, step.message, step);
    case "start":
      return ctx.start(step.module, step);
    case "startAndWait":
      return ctx.startAndWait(step.module, step).catch(describe);
    case "stop":
      return ctx.stop(step.pid, step.reason);
    case "stopAndWait":
      return ctx.stopAndWait(step.pid, step.reason).catch(describe);
    case "exit":
      return ctx.exit(step.pid, step.reason);
    case "sendAfter":
      return ctx.sendAfter(step.ms, step.message, step);
    case "sendEvery":
      return ctx.sendEvery(step.ms, step.message, step);
    case "cron":
      return ctx.cron(step.expression, step.message, step);
    case "cancel":
      return ctx.cancel(step.name);
    case "monitor":
      return ctx.monitor(step.pid);
    case "demonitor":
      return ctx.demonitor(step.ref);
    case "link":
    case "unlink":
      return ctx[step.do](step.pid);
    case "join":
    case "leave":
    case "members":
      return ctx[step.do](step.group);
    case "publish":
      return ctx.publish(step.group, step.message);
    case "tags":
      return ctx.setTags(step.tags);
    default:
      throw new TypeError(`an actor does not ${(step as EffectStep).do}`);
  }
}

function isProgram(message: unknown): message is Program {
  return typeof message === "object" && message !== null && "run" in message;
}
