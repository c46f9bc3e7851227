/** What the type checker accepts and refuses in a module; running it shows only that the definitions load. */

import { test } from "node:test";
import type { ProcessClient } from "./client.ts";
import { defineServer, ignore, noreply, ok, reply, type ServerModule, stop } from "./index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_equal: Equal<A, B>) => {};

test("infers the state from what init returns", () => {
  defineServer({
    name: "bare",
    version: 1,
    init: (start: unknown) => ({ acc: typeof start === "number" ? start : 0, count: 0 }),
    handleCast: (n: number, state) => {
      same<typeof state.acc, number>(true);
      return noreply({ acc: state.acc + n, count: state.count + 1 });
    },
    handleCall: (message: "total" | { add: number }, _from, state) =>
      message === "total"
        ? reply(state.acc, state)
        : reply(state.acc + message.add, { acc: state.acc + message.add, count: state.count + 1 }),
    terminate: (reason, state, ctx) => ctx.log.info({ reason, ...state }),
  });
  defineServer({
    name: "built",
    version: 1,
    init: async (items: string[], ctx) => {
      if (items.length === 0) return stop("nothing to do");
      ctx.log.info({ items: items.length });
      return ok({ items }, "hibernate");
    },
    handleCall: async (message: "size" | "first", _from, state) => {
      same<typeof state.items, string[]>(true);
      return message === "size" ? reply(state.items.length, state) : reply(state.items[0], state, { continue: 1 });
    },
  });
  defineServer({
    name: "number",
    version: 1,
    init: () => 0,
    handleCast: (n: number, state) => noreply(state + n),
  });
  defineServer({
    name: "door",
    version: 1,
    init: (): { is: "open" } | { is: "locked"; pin: number } => ({ is: "open" }),
    handleCast: (pin: number, state) => noreply(state.is === "open" ? { is: "locked" as const, pin } : state),
    handleInfo: (_message, state) => stop("normal", state),
  });
});

test("infers the state from init where it may also decline, and from nothing else", () => {
  const declining = defineServer({
    name: "declining",
    version: 2,
    init: async (n: number | undefined) => {
      if (n === undefined) return ignore();
      if (n < 0) return stop("negative");
      return n > 100 ? ok({ n, big: true }, "hibernate") : { n, big: false };
    },
    handleCall: (_message: "later", from, state, ctx) => {
      same<typeof state.n, number>(true);
      same<typeof state.big, boolean>(true);
      ctx.reply(from, state.n);
      return noreply(state, { timeout: 1_000 });
    },
    codeChange: (fromVersion, state) => {
      same<typeof state, unknown>(true);
      return { n: fromVersion + (state as { n: number }).n, big: false };
    },
    dump: (state) => {
      same<typeof state.big, boolean>(true);
      return [state.n];
    },
    load: (stored) => ({ n: (stored as [number])[0], big: false }),
  });
  type Declining = ProcessClient<typeof declining>;
  same<ReturnType<Declining["call"]>, Promise<never>>(true);
  const name = "a";
  const version = 1;
  const init = () => ({ n: 0 });
  const untyped: { any: unknown } = JSON.parse('{"any":0}');
  defineServer({
    name,
    version,
    init,
    load: (stored) => stored as { n: number },
    handleCast: (_m, { n }) => noreply({ n }),
  });
  // @ts-expect-error codeChange makes a state of another type
  defineServer({ name, version, init, codeChange: () => untyped });
  // @ts-expect-error load makes a state of another type
  defineServer({ name, version, init, load: () => 5 });
  // @ts-expect-error the state is init's, not codeChange's
  defineServer({ name, version, init, codeChange: () => ({ n: 0 }), handleCast: (_m, s) => noreply(s.m) });
  // @ts-expect-error nothing but declining: there would be no state
  defineServer({ name, version, init: () => ignore(), handleCast: () => noreply(0) });
});

test("takes every option, and refuses what is none", () => {
  const name = "a";
  const version = 1;
  const init = () => 0;
  defineServer({
    ...{ name, version, init, turnTimeoutMs: 1, idleAfterMs: Infinity, onDemand: true, keepState: "always" as const },
    writePolicy: { every: { turns: 10, ms: 1_000 } },
    retry: { attempts: 3, backoff: { type: "exponential", delay: 100 } },
    intensity: { crashes: 3, withinMs: 5_000 },
    mailbox: { messages: 10 },
    trapExit: true,
    store: "postgres",
  });
  const refused = [
    // @ts-expect-error no such keeping
    () => defineServer({ name, version, init, keepState: "temporary" }),
    // @ts-expect-error no such policy
    () => defineServer({ name, version, init, writePolicy: "never" }),
    // @ts-expect-error without attempts
    () => defineServer({ name, version, init, retry: { backoff: 5 } }),
    // @ts-expect-error without a time
    () => defineServer({ name, version, init, intensity: { crashes: 5 } }),
  ];
  void refused;
});

test("lets a message that has no annotation be unknown", () => {
  defineServer({
    name: "any",
    version: 1,
    init: () => 0,
    handleCast: (message, state) => {
      same<typeof message, unknown>(true);
      return noreply(state);
    },
    handleContinue: (value, state) => {
      same<typeof value, unknown>(true);
      return noreply(state);
    },
  });
});

test("refuses in init the return of another callback", () => {
  // @ts-expect-error handleCast's return, in one of two branches
  defineServer({ name: "a", version: 1, init: (n: number) => (n > 0 ? noreply(n) : stop("no")) });
  // @ts-expect-error handleCall's return, asynchronously
  defineServer({ name: "a", version: 1, init: async (n: number) => reply(n, n) });
});

test("refuses in the other callbacks what is not theirs", () => {
  const name = "a";
  const version = 1;
  const init = () => 0;
  // @ts-expect-error a bare state
  defineServer({ name, version, init, handleCast: (n: number, state) => state + n });
  // @ts-expect-error a state of another type
  defineServer({ name, version, init, handleCast: (n: number) => noreply(String(n)) });
  // @ts-expect-error a reply to nobody
  defineServer({ name, version, init, handleCast: (_n, state) => reply(1, state) });
  // @ts-expect-error init's return
  defineServer({ name, version, init, handleInfo: (_n, state) => ok(state) });
  // @ts-expect-error a stop without the state
  defineServer({ name, version, init, handleContinue: () => stop("normal") });
  // @ts-expect-error init's way to decline
  defineServer({ name, version, init, handleCall: () => ignore() });
  // @ts-expect-error a reply with a state of another type
  defineServer({ name, version, init, handleCall: (_message, _from, state) => reply(state, "state") });
  // @ts-expect-error nothing
  defineServer({ name, version, init, handleCall: async () => {} });
});

test("refuses a next, a reason and a field that do not exist", () => {
  // @ts-expect-error no such next
  noreply(0, "sleep");
  // @ts-expect-error a reason is a text
  stop(1, 0);
  // @ts-expect-error init must be there
  const withoutInit = () => defineServer({ name: "a", version: 1 });
  // @ts-expect-error no such callback
  const withStranger = () => defineServer({ name: "a", version: 1, init: () => 0, handleCats: () => 0 });
  void [withoutInit, withStranger];
});

test("types a process's client by its module", () => {
  const mixed = defineServer({
    name: "mixed",
    version: 1,
    init: () => ({ n: 0 }),
    handleCall: (message: "n" | "name" | "end", _from, state) => {
      if (message === "end") return stop("normal", true, state);
      return message === "n" ? reply(state.n, state) : reply("mixed", state);
    },
    handleCast: (_message: { add: number }, state) => noreply(state),
  });
  type Mixed = ProcessClient<typeof mixed>;
  same<Parameters<Mixed["call"]>[0], "n" | "name" | "end">(true);
  same<ReturnType<Mixed["call"]>, Promise<number | string | boolean>>(true);
  same<Parameters<Mixed["cast"]>[0], { add: number }>(true);
  same<Parameters<Mixed["info"]>[0], unknown>(true);
});

test("is any module to the runtime", () => {
  const modules: ServerModule[] = [
    defineServer({
      name: "a",
      version: 1,
      init: (n: number) => n,
      handleCast: (n: number, state) => noreply(state + n),
    }),
    defineServer({
      name: "b",
      version: 1,
      init: async (s: string) => ok({ s }),
      handleCall: (_m, _f, s) => reply(s.s, s),
    }),
  ];
  void modules;
});
