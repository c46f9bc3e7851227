import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "@genserverless/shared/cluster/control.ts";
import { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { createNode, type Node } from "@genserverless/shared/cluster/node.ts";
import { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import { NO_TRACER } from "@genserverless/shared/trace/tracer.ts";
import { defineEntity, defineServer, noreply, reply, type ServerModule } from "genserverless";
import { CommandFailed, type StoredJournal, withJournal } from "genserverless/journaled.ts";
import { assertNoChildLeft } from "../../test/tools/child.ts";
import { FaultProxy } from "../../test/tools/fault-proxy/fault-proxy.ts";
import { RedisServer } from "../../test/tools/redis-server.ts";
import { until } from "../../test/tools/until.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

/** Journaled modules in a worker: what is made of a journal, what is let go of, and what stands in the way. */

const SOON = { withinMs: 10_000 };
const log = createLog("test", { LOG_LEVEL: "silent" });

/** A state that is told when it is let go of. */
class Handle {
  total: number;
  releases = 0;
  constructor(total: number) {
    this.total = total;
    handles.push(this);
  }
}
const handles: Handle[] = [];
/** What the next recoveries do; then they do what they should. */
const recoveries: ((stored: StoredJournal) => Promise<Handle> | Handle)[] = [];

async function fold({ pages }: StoredJournal): Promise<Handle> {
  const found: number[] = [];
  for await (const page of pages) for (const { dataText } of page) found.push(Number(dataText));
  return new Handle(found.reduce((sum, by) => sum + by, 0));
}

/** What a turn that is asked to wait tells of its beginning, and what it waits for. */
const waiter = { hasBegun: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() };

type Ask = { add: number } | { refuse: "before" | "after" } | "crash" | "total" | "wait";

const counter = defineServer({
  name: "counter",
  version: 1,
  onDemand: true,
  keepState: "always",
  intensity: { crashes: 3, withinMs: 60_000 },
  init: () => new Handle(0),
  async handleCall(ask: Ask, _from, state) {
    assert.equal(state.releases, 0, "a state is used that was let go of");
    if (ask === "crash") throw new Error("as it was asked to");
    if (ask === "total") return reply(state.total, state);
    if (ask === "wait") {
      waiter.hasBegun.resolve();
      await waiter.goOn.promise;
      assert.equal(state.releases, 0, "a state was let go of while it was used");
      return reply(state.total, state);
    }
    if ("refuse" in ask) throw new CommandFailed("no", { isSpoiled: ask.refuse === "after" });
    state.total += ask.add;
    const event = { type: "added", dataText: String(ask.add) };
    return withJournal(reply(state.total, state), { events: [event] });
  },
  handleCast: (_ask: unknown, state) => noreply(state),
  journal: {
    recover: (stored) => (recoveries.shift() ?? fold)(stored),
    release: (state) => {
      state.releases += 1;
    },
    view: ({ total }) => total,
  },
}) as unknown as ServerModule;

const server = new RedisServer();
const modules = new Map<string, ServerModule>([["counter", counter]]);
let proxy: FaultProxy;
let node: Node;
let worker: Worker;
let api: Node;
let messenger: Messenger;
let control: Control;

function connect(role: "worker" | "api", url: string): Node {
  const env = { REDIS_URL: url, NODE_NAME: role, SESSION_TTL_MS: "3000", PARTITIONS: "4" };
  return createNode(role, readClusterSettings(env), log);
}

before(async () => {
  await server.start();
  proxy = new FaultProxy(server.url);
  await proxy.start();
  api = connect("api", server.url);
  await api.link.start();
  await api.subscriber.start();
  const options = {
    link: api.link,
    keys: api.keys,
    subscriber: api.subscriber,
    clock: api.clock,
    rulesOf: (name: string) => modules.get(name),
    knowsModule: (name: string) => modules.has(name),
    isStorageFull: () => false,
  };
  messenger = new Messenger(options);
  await messenger.start();
  control = new Control({ ...options, outboxes: new Outboxes({ link: api.link, keys: api.keys, events: api.events }) });
  node = connect("worker", proxy.urlOf(server.url));
  await node.link.start();
  await node.subscriber.start();
  const settings = readWorkerSettings({ REDIS_URL: server.url });
  worker = new Worker(node, settings, { modules, stores: new StateStores([]), tracer: NO_TRACER, log });
  await worker.start();
});

after(async () => {
  proxy.heal();
  await worker.stop();
  await node.subscriber.stop();
  await node.link.stop();
  await messenger.stop();
  await api.subscriber.stop();
  await api.link.stop();
  await proxy.stop();
  await server.stop();
  assertNoChildLeft();
});

let named = 0;
const aPid = () => `counter/${++named}` as Pid;

async function ask(pid: Pid, content: unknown, timeoutMs = 15_000): Promise<unknown> {
  return (await messenger.call(pid, content, { timeoutMs })).reply;
}

function readRecord(pid: Pid): Promise<Record<string, string>> {
  return api.link.call("hgetall", api.keys.process(api.keys.partitionOf(pid), pid));
}

const journalOf = (pid: Pid) => api.keys.journal(api.keys.partitionOf(pid), pid);

/** Puts what is idle to sleep. */
async function forgetAll(): Promise<void> {
  const isEmpty = async () => {
    await worker.learn([...modules.values()]);
    return worker.figures.held === 0;
  };
  await until(isEmpty, SOON);
}

async function untilQuarantined(pid: Pid): Promise<string> {
  return await until(async () => {
    const { p, f } = await readRecord(pid);
    return p === "quarantined" && f;
  }, SOON);
}

/** Each state was let go of once, but for those that are held. */
async function untilReleased(): Promise<void> {
  await until(() => handles.filter(({ releases }) => releases === 0).length === worker.figures.held, SOON);
  assert.deepEqual(
    [...new Set(handles.map(({ releases }) => releases))].filter((times) => times > 1),
    [],
  );
}

test("a recovery that throws before it returns a promise quarantines its process", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  await forgetAll();
  recoveries.push(() => {
    throw new TypeError("thrown at once");
  });
  const waiting = ask(pid, { add: 1 });
  assert.match(await untilQuarantined(pid), /counter cannot be made of its journal: TypeError: thrown at once/);
  await control.unquarantine(pid);
  assert.equal(await waiting, 3);
  await untilReleased();
});

for (const [torn, says] of [
  ["#", /the snapshot # is torn/],
  ["#torn", /the snapshot #torn is torn/],
  ["#5", /the snapshot #5 is torn/],
] as const) {
  test(`a process whose snapshot is ${torn} is quarantined, and does not begin from nothing`, async () => {
    const pid = aPid();
    await ask(pid, { add: 2 });
    await forgetAll();
    const key = api.keys.process(api.keys.partitionOf(pid), pid);
    await api.link.call("hset", key, "d", torn);
    const waiting = ask(pid, { add: 1 });
    assert.match(await untilQuarantined(pid), says);
    await api.link.call("hset", key, "d", "#0");
    await control.unquarantine(pid);
    assert.equal(await waiting, 3);
  });
}

test("a journal that takes no more events, for another hand has added and deleted one, is a quarantine and no loop", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  await api.link.call("xadd", journalOf(pid), "9-0", "t", "added");
  await api.link.call("xdel", journalOf(pid), "9-0");
  const waiting = ask(pid, { add: 1 });
  assert.match(await untilQuarantined(pid), /has had event 9-0, and its record goes to 1/);
  await api.link.call("xsetid", journalOf(pid), "1-0");
  await control.unquarantine(pid);
  assert.equal(await waiting, 3);
});

test("a module that looks at no event is quarantined for a damaged journal as any other", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  await forgetAll();
  await api.link.call("xadd", journalOf(pid), "2-0", "t", "added");
  recoveries.push(() => new Handle(0));
  const waiting = ask(pid, "total");
  assert.match(await untilQuarantined(pid), /the journal of counter\/\d+ goes to 2-0, and its record to 1/);
  recoveries.length = 0;
  await api.link.call("xdel", journalOf(pid), "2-0");
  await api.link.call("xsetid", journalOf(pid), "1-0");
  await control.unquarantine(pid);
  assert.equal(await waiting, 2);
});

test("a state that was made of half a journal, for Redis was away and the module did not mind, is not used", async () => {
  const pid = aPid();
  for (let round = 0; round < 6; round++) await ask(pid, { add: 1 });
  await forgetAll();
  recoveries.push(async (stored) => {
    const fault = proxy.cutMidRequest("xrange", { client: /worker/ });
    try {
      for await (const _page of stored.whole());
    } catch {}
    assert.equal(fault.hits, 1);
    return new Handle(1_000);
  });
  assert.equal(await ask(pid, "total"), 6);
  await untilReleased();
});

test("a recovery that Redis holds up for longer than a turn may take is no reason for a quarantine", async () => {
  const hasty: ServerModule = { ...counter, name: "hasty", turnTimeoutMs: 1_000 };
  await worker.learn([hasty]);
  modules.set("hasty", hasty);
  const pid = "hasty/a" as Pid;
  await ask(pid, { add: 2 });
  await forgetAll();
  recoveries.push(async (stored) => {
    await sleep(1_500);
    return await fold(stored);
  });
  assert.equal(await ask(pid, { add: 1 }), 3);
});

test("a process that is killed while its state is made begins again at once", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  await forgetAll();
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  recoveries.push(async (stored) => {
    begun.resolve();
    await goOn.promise;
    await fold(stored).catch(ended.resolve);
    return new Handle(1_000);
  });
  const waiting = ask(pid, "total").catch((error: Error) => error.message);
  await begun.promise;
  await control.kill(pid, "killed");
  assert.match(String(await waiting), /stopped before/);
  assert.equal(await ask(pid, { add: 1 }, 5_000), 3);
  // What was given up reads no further, and what comes of it is let go of.
  goOn.resolve();
  assert.match(String(await ended.promise), /given up/);
  await untilReleased();
});

test("crashes are counted over the states that they spoil", async () => {
  const pid = aPid();
  for (let round = 0; round < 3; round++) await assert.rejects(ask(pid, "crash"), /as it was asked to/);
  assert.equal((await readRecord(pid))["p"], undefined);
  await assert.rejects(ask(pid, "crash"), /as it was asked to/);
  assert.match(await untilQuarantined(pid), /more than 3 crashes within 60000 ms/);
  // Whoever lets it go on gives it a new start.
  await control.unquarantine(pid);
  await assert.rejects(ask(pid, "crash"), /as it was asked to/);
  assert.equal(await ask(pid, { add: 1 }), 1);
  await untilReleased();
});

test("a refusal that spoils the state has it made anew, and is no crash", async () => {
  const pid = aPid();
  await ask(pid, { add: 1 });
  for (let round = 0; round < 5; round++) {
    for (const refuse of ["before", "after"]) await assert.rejects(ask(pid, { refuse }), /no/);
  }
  assert.equal(await ask(pid, "total"), 1);
  await untilReleased();
});

test("a session that is lost while a state is made lets go of that state, and not of its successor's", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  await forgetAll();
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  recoveries.push(async (stored) => {
    begun.resolve();
    await goOn.promise;
    await fold(stored).catch(() => {});
    return new Handle(1_000);
  });
  const waiting = ask(pid, "wait");
  await begun.promise;
  const [session = ""] = await api.link.call<string[]>("keys", "gs:*session:worker*");
  assert.notEqual(session, "");
  await api.link.call("del", session);
  // The successor's turn is under way when the first one's recovery ends.
  await waiter.hasBegun.promise;
  const late = handles.length;
  goOn.resolve();
  await until(() => handles[late]?.releases === 1, SOON);
  waiter.goOn.resolve();
  assert.equal(await waiting, 2);
  await untilReleased();
});

test("a lease that was lost unnoticed is claimed anew, and the state that was held under it is let go of", async () => {
  const pid = aPid();
  await ask(pid, { add: 2 });
  // As after a hand-over and back of which nobody heard.
  await api.link.call("hset", api.keys.process(api.keys.partitionOf(pid), pid), "e", "1");
  assert.equal(await ask(pid, { add: 1 }), 3);
  await untilReleased();
});

test("an entity whose event handler throws half way fails, also where the command catches it", async () => {
  const entity = defineEntity({
    name: "half",
    version: 1,
    initial: () => ({ list: [] as number[] }),
    events: {
      half: (by: number, state: { list: number[] }) => {
        state.list.push(by);
        throw new Error("half way");
      },
    },
    commands: {
      swallow: (_args, _state, ctx) => {
        try {
          ctx.emit("half", 1);
        } catch {}
      },
      refuse: (_args, _state, ctx) => {
        try {
          ctx.emit("half", 1);
        } catch {
          ctx.fail("refused");
        }
      },
      list: (_args, { list }) => list,
    },
  }) as unknown as ServerModule;
  await worker.learn([entity]);
  modules.set("half", entity);
  const pid = "half/a" as Pid;
  await assert.rejects(ask(pid, "swallow"), /half way/);
  assert.deepEqual(await ask(pid, "list"), []);
  await assert.rejects(ask(pid, "refuse"), /refused/);
  assert.deepEqual(await ask(pid, "list"), []);
});

test("a command whose turn has ended three nodes is set aside alone; where nobody knows that it was the turn, its process is", async () => {
  const pid = aPid();
  await ask(pid, { add: 1 });
  const blame = async (facts: Record<string, string>) => {
    await control.pause(pid);
    // A worker that still has its state does not make that anew.
    await until(async () => !(await readRecord(pid))["o"], SOON);
    const waiting = ask(pid, { add: 1 });
    const { i = "" } = await readRecord(pid);
    const queue = (part: string) => api.keys.queue(api.keys.partitionOf(pid), `${pid}@${i}`, part);
    const [id = ""] = await until(async () => {
      const ids = await api.link.call<string[]>("lrange", queue("wait"), 0, -1);
      return ids.length > 0 && ids;
    }, SOON);
    await api.link.call("hset", queue(id), ...Object.entries(facts).flat());
    await control.resume(pid);
    return waiting;
  };
  await assert.rejects(blame({ stc: "3", blame: "Error: blocked its node's event loop" }), /3 nodes died while/);
  assert.equal(await ask(pid, "total"), 1);
  // Six: as many again since, and those were while the state was made.
  const deaths: Record<string, string>[] = [{ stc: "3" }, { stc: "6", blame: "Error: blocked its node's event loop" }];
  for (const facts of deaths) {
    const waiting = blame(facts).catch((error: Error) => error.message);
    assert.match(await untilQuarantined(pid), /nodes died while the journal was read, or right after/);
    // Whoever lets it go on has seen to what ended them: the message has as many lives again.
    await control.unquarantine(pid);
    assert.equal(typeof (await waiting), "number");
  }
  assert.equal(await ask(pid, "total"), 3);
});
