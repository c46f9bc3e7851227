import assert from "node:assert/strict";
import { test } from "node:test";
import { createKit } from "genserverless/testing";
import { z } from "zod";
import type { ProcessClient } from "../process-client.ts";
import { defineEntity } from "./define-entity.ts";
import type { Upcast } from "./entity-types.ts";
import { Folding } from "./folding.ts";

const counter = {
  name: "counter",
  version: 1,
  initial: () => ({ total: 0 }),
  events: { added: (by: number, { total }: { total: number }) => ({ total: total + by }) },
  commands: { get: (_args: unknown, state: { total: number }) => state.total },
};

test("says which field of which entity is wrong when the file is loaded", () => {
  const wrong: [object, RegExp][] = [
    [{ initial: 5 }, /entity counter: initial must be a function/],
    [{ initial: undefined }, /entity counter: initial must be a function/],
    [{ commands: undefined }, /entity counter: it has no commands, and no behavior/],
    [{ behavior: () => ({}) }, /entity counter: either behavior, or events and commands/],
    [{ snapshotEvery: 0 }, /entity counter: snapshotEvery must be a whole number from 1/],
    [{ retention: { days: 1 } }, /entity counter: retention must be { events\?, ms\? }/],
    [{ events: { added: "by" } }, /entity counter: events.added must be a function/],
    [{ upcast: { 1: true } }, /entity counter: upcast.1 must be a function/],
    [{ commands: { "no name": () => 1 } }, /module counter: calls: a handler's name/],
    [{ store: "postgres" }, /entity counter: store is for defineServer/],
    [{ handleCall: () => 1 }, /entity counter: handleCall is for defineServer/],
    [{ name: "with a space" }, /name must be 1 to 128 characters/],
    [{ shapshotEvery: 5 }, /unknown field shapshotEvery/],
  ];
  for (const [change, says] of wrong) assert.throws(() => defineEntity({ ...counter, ...change } as never), says);
});

test("takes a snapshot when an event of the command reaches a multiple, also one in the middle", async () => {
  const entity = defineEntity({
    ...counter,
    commands: { add: (by, _state, ctx) => [1, 2, 3].map(() => ctx.emit("added", Number(by)).total) },
    snapshotEvery: 4,
  });
  const kit = createKit({ modules: [entity] });
  await kit.call("counter/a", { add: 1 });
  await kit.call("counter/a", { add: 1 });
  assert.deepEqual(await kit.call("counter/a", { add: 1 }), [7, 8, 9]);
  assert.deepEqual(kit.state("counter/a"), { total: 9 });
  assert.deepEqual(kit.journal("counter/a").at(-1), { sequence: 9, type: "added", data: 1 });
  kit.crash("counter/a");
  assert.deepEqual(await kit.call("counter/a", { add: 1 }), [10, 11, 12]);
});

test("an event is what it was when it was emitted, whatever the command does to the object later", async () => {
  const entity = defineEntity({
    ...counter,
    events: { noted: (note: { text: string }, _state: { total: number }) => ({ total: note.text.length }) },
    commands: {
      note: (_args, _state, ctx) => {
        const note = { text: "four" };
        ctx.emit("noted", note);
        note.text = "changed";
      },
    },
  });
  const kit = createKit({ modules: [entity] });
  await kit.call("counter/a", "note");
  assert.deepEqual(kit.journal("counter/a"), [{ sequence: 1, type: "noted", data: { text: "four" } }]);
  assert.deepEqual(kit.state("counter/a"), { total: 4 });
});

test("a command cannot return what a callback returns, nor an event's handler nothing, or a promise", async () => {
  const entity = defineEntity({
    ...counter,
    events: {
      nothing: (_data: null, _state: { total: number }) => undefined as never,
      later: (_data: null, state: { total: number }) => Promise.resolve(state) as never,
    },
    commands: {
      nothing: (_args, _state, ctx) => void ctx.emit("nothing", null),
      later: (_args, _state, ctx) => void ctx.emit("later", null),
    },
  });
  const kit = createKit({ modules: [entity] });
  await assert.rejects(kit.call("counter/a", "nothing"), /counter\.events\.nothing returned no state/);
  await assert.rejects(kit.call("counter/a", "later"), /counter\.events\.later returned a promise/);
});

interface Changes {
  upcast?: Record<number, Upcast>;
  codeChange?: (from: number, state: unknown) => { cents: number };
}

/** Version 2 counts in cents, and knows what was `added` as `paid`, in two parts where it is odd. */
const next = (given: Changes) =>
  defineEntity({
    name: "counter",
    version: 2,
    initial: () => ({ cents: 0 }),
    events: { paid: (cents: number, state: { cents: number }) => ({ cents: state.cents + cents }) },
    commands: { get: (_args, { cents }) => cents, pay: (by, _state, ctx) => ctx.emit("paid", Number(by)).cents },
    upcast: {
      1: ({ data }) => [
        { type: "paid", data: Number(data) * 99 },
        { type: "paid", data: Number(data) },
      ],
    },
    ...given,
  });

async function upgraded(given: Changes) {
  const first = defineEntity({
    ...counter,
    commands: { add: (by, _state, ctx) => ctx.emit("added", Number(by)).total },
    snapshotEvery: 2,
  });
  const kit = createKit({ modules: [first] });
  for (const by of [1, 2, 3]) await kit.call("counter/a", { add: by });
  kit.upgrade(next(given) as never);
  return kit;
}

test("events of an earlier version are upcast, and its snapshot is left where nothing makes it one of this", async () => {
  const kit = await upgraded({});
  assert.equal(await kit.call("counter/a", "get"), 600);
  assert.equal(await kit.call("counter/a", { pay: 1 }), 601);
  kit.crash("counter/a");
  assert.equal(await kit.call("counter/a", "get"), 601);
});

test("codeChange makes a snapshot one of this version, and only later events are upcast", async () => {
  const seen: number[] = [];
  const kit = await upgraded({
    codeChange: (from, state) => {
      seen.push(from);
      return { cents: (state as { total: number }).total * 1_000 };
    },
  });
  assert.equal(await kit.call("counter/a", "get"), 3_300);
  assert.ok(seen.length > 0 && seen.every((from) => from === 1));
});

test("an entity that a new version cannot make of its journal is quarantined, its journal as it was", async () => {
  const kit = await upgraded({ upcast: {} });
  await assert.rejects(kit.call("counter/a", "get", { timeoutMs: 50 }));
  assert.equal(kit.status("counter/a"), "quarantined");
  const [event] = kit.events.filter(({ event }) => event === "process.quarantined");
  assert.match(
    String(event?.["detail"]),
    /event 1 of counter\/a, added of version 1: TypeError: counter has no event added; it has paid/,
  );
  assert.equal(kit.journal("counter/a").length, 3);
});

test("a hundred thousand events are folded well within the deadline of a turn", async () => {
  const folding = new Folding({
    name: "counter",
    version: 1,
    initial: () => ({ total: 0 }),
    eventsOf: () => counter.events as never,
    upcast: {},
    codeChange: undefined,
    snapshotEvery: 100,
  });
  async function* pages() {
    for (let page = 0; page < 100; page++) {
      yield Array.from({ length: 1_000 }, (_, index) => ({
        sequence: page * 1_000 + index + 1,
        type: "added",
        dataText: "1",
        version: 1,
        at: 0,
        messageId: "",
      }));
    }
  }
  const state = await folding.recover({
    pid: "counter/a",
    key: "a",
    snapshot: undefined,
    pages: pages(),
    whole: pages,
  });
  assert.deepEqual(state, { sequence: 100_000, value: { total: 100_000 } });
});

test("the client of an entity knows its commands, their arguments and replies", () => {
  const entity = defineEntity({
    ...counter,
    commands: {
      add: { args: z.object({ by: z.int() }), handle: ({ by }, _state, ctx) => ctx.emit("added", by).total },
      get: (_args, { total }) => total,
      reset: () => {},
    },
  });
  type Client = ProcessClient<typeof entity>;
  const check = async (client: Client) => {
    const total: number = await client.call({ add: { by: 1 } });
    const nothing: null = await client.call("reset");
    await client.cast({ add: { by: 2 } });
    // @ts-expect-error: by is a number
    await client.call({ add: { by: "1" } });
    // @ts-expect-error: there is no such command
    await client.call("unknown");
    return [total, nothing];
  };
  assert.equal(typeof check, "function");
});

test("a command fails that emits more events, or larger ones, than a commit takes, also where it catches that", async () => {
  const entity = defineEntity({
    name: "bulk",
    version: 1,
    initial: () => ({ count: 0 }),
    events: { added: (_text: string, { count }: { count: number }) => ({ count: count + 1 }) },
    commands: {
      emit: {
        args: z.object({ count: z.int(), size: z.int() }),
        handle: ({ count, size }, _state, ctx) => {
          for (let one = 0; one < count; one++) ctx.emit("added", "ä".repeat(size));
        },
      },
      swallow: (_args, _state, ctx) => {
        try {
          for (;;) ctx.emit("added", "");
        } catch {}
      },
      count: (_args, { count }) => count,
    },
  });
  const kit = createKit({ modules: [entity] });
  const tooMany = { code: "too_many_events", message: /more than 10000 events, or 8388608 bytes of them/ };
  await kit.call("bulk/a", { emit: { count: 10_000, size: 1 } });
  await assert.rejects(kit.call("bulk/a", { emit: { count: 10_001, size: 1 } }), tooMany);
  await kit.call("bulk/a", { emit: { count: 4, size: 1_000_000 } });
  await assert.rejects(kit.call("bulk/a", { emit: { count: 5, size: 1_000_000 } }), tooMany);
  await assert.rejects(kit.call("bulk/a", "swallow"), tooMany);
  assert.equal(await kit.call("bulk/a", "count"), 10_004);
  assert.equal(kit.journal("bulk/a").length, 10_004);
});

test("a command fails whose event could not be applied, also where it catches that", async () => {
  const entity = defineEntity({
    ...counter,
    events: {
      broken: () => {
        throw new Error("half way");
      },
    },
    commands: {
      swallow: (_args, _state, ctx) => {
        try {
          ctx.emit("broken", null);
        } catch {}
      },
    },
  });
  await assert.rejects(createKit({ modules: [entity] }).call("counter/a", "swallow"), /half way/);
});

test("whatever a recovery throws quarantines the entity, as in a cluster", async () => {
  let isBroken = false;
  const entity = defineEntity({
    ...counter,
    initial: () => {
      if (isBroken) throw new TypeError("no beginning");
      return { total: 0 };
    },
    commands: { add: (by, _state, ctx) => ctx.emit("added", Number(by)).total },
  });
  const kit = createKit({ modules: [entity] });
  await kit.call("counter/a", { add: 1 });
  kit.crash("counter/a");
  isBroken = true;
  await assert.rejects(kit.call("counter/a", { add: 1 }, { timeoutMs: 50 }));
  assert.equal(kit.status("counter/a"), "quarantined");
  const [event] = kit.events.filter(({ event: name }) => name === "process.quarantined");
  assert.match(String(event?.["detail"]), /counter cannot be made of its journal: TypeError: no beginning/);
});
