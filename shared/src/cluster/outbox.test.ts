import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit } from "../../../test/tools/audit.ts";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { until } from "../../../test/tools/until.ts";
import { newMessageId } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { moduleOf } from "../redis/keys.ts";
import { seal } from "./envelope.ts";
import { evictSession } from "./eviction.ts";
import { OutboxBench } from "./outbox.test-support.ts";
import { Outboxes } from "./outbox.ts";
import type { Held } from "./scripts.test-support.ts";

/** What a commit wants sent, on its way to mailboxes, watchers and groups: late, lost or doubled at each step. */

const bench = new OutboxBench();
const { keys, undeliverable, sendTo: send, outboxOf, commitAll, deliverOnly } = bench;
const { deliver, untilDelivered, mailOf, contentsOf } = bench;
let redis: ReturnType<typeof bench.server.connect>;

before(async () => {
  await bench.start();
  redis = bench.server.connect();
});

/** Whatever a test did, what it leaves in Redis fits together; the next begins without it. */
afterEach(async () => {
  await untilDelivered();
  try {
    assert.deepEqual(await audit(redis, keys.prefix, keys.partitions), []);
  } finally {
    await redis.flushall();
  }
});

after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

test("what was delivered and not taken out of its outbox is delivered again and taken no second time", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const name = await commitAll(sender, send("cast", target.pid, 1), send("cast", target.pid, 2));
  await deliverOnly(sender, target.pid, name);
  await commitAll(sender, send("cast", target.pid, 3));
  await deliverOnly(sender, target.pid, name);
  await deliver(sender);
  assert.deepEqual(await contentsOf(target.pid), [1, 2, 3]);
});

test("a delivery that arrives late, after another node's, changes nothing", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const name = await commitAll(sender, send("cast", target.pid, 1));
  const late = await bench.link.call<string[]>("lrange", keys.outbox(sender.lease.partition, name), 0, -1);
  await deliver(sender);
  await commitAll(sender, send("cast", target.pid, 2));
  await deliver(sender);
  await deliverOnly(sender, target.pid, name, late);
  assert.deepEqual(await contentsOf(target.pid), [1, 2]);
});

test("many nodes that empty one outbox at once deliver each entry once, in order", async () => {
  const sender = await bench.startProcess();
  const targets = [await bench.startProcess(), await bench.startProcess(), await bench.startProcess()];
  const numbers = Array.from({ length: 250 }, (_, number) => number);
  await commitAll(sender, ...numbers.map((number) => send("cast", targets[number % 3]?.pid ?? "", number)));
  const nodes = Array.from({ length: 4 }, () => new Outboxes({ link: bench.link, keys, events: bench.events }));
  const name = await outboxOf(sender);
  await Promise.all(nodes.map((node) => node.empty(sender.lease.partition, name)));
  for (const [index, { pid }] of targets.entries()) {
    assert.deepEqual(
      await contentsOf(pid),
      numbers.filter((number) => number % 3 === index),
    );
  }
});

test("what is taken out of an outbox late, or twice, takes nothing that came since", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const name = await commitAll(sender, send("cast", target.pid, 1));
  const { partition } = sender.lease;
  const takeOut = (number: number) =>
    bench.link.run<number>("sent", [keys.outbox(partition, name)], [keys.base(partition), name, number]);
  await deliverOnly(sender, target.pid, name);
  await commitAll(sender, send("cast", target.pid, 2));
  assert.deepEqual([await takeOut(1), await takeOut(1), await takeOut(0)], [1, 1, 1]);
  await deliver(sender);
  assert.equal(await takeOut(1), 0);
  assert.deepEqual(await contentsOf(target.pid), [1, 2]);
});

test("a commit that is refused, or sent twice, sends nothing more", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const acts = [send("cast", target.pid, 1)];
  assert.equal(await bench.commit({ ...sender.lease, epoch: "999" }, [], { width: 0, acts }), undefined);
  const lease = { ...sender.lease };
  await commitAll(sender, ...acts);
  assert.equal(await bench.commit(lease, [], { width: 0, acts }), undefined);
  await deliver(sender);
  assert.deepEqual(await contentsOf(target.pid), [1]);
});

test("an idle process has what is delivered put into its worker's hand, a busy one has it wait", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(sender, send("cast", target.pid, 1), send("cast", target.pid, 2));
  await deliver(sender);
  const partition = keys.partitionOf(target.pid);
  const lengths = ["active", "wait"].map(async (list) =>
    bench.link.call<number>("llen", keys.queue(partition, await outboxOf(target), list)),
  );
  assert.deepEqual(await Promise.all(lengths), [1, 1]);
  assert.equal(await bench.isBusy(target), true);
});

test("a process that is held back gets what is delivered when it goes on", async () => {
  const [sender, paused, waiting] = [
    await bench.startProcess(),
    await bench.startProcess(),
    await bench.startProcess(),
  ];
  await bench.link.run(
    "pause",
    [keys.process(paused.lease.partition, paused.pid)],
    [keys.base(paused.lease.partition), paused.pid],
  );
  await bench.putDown(paused);
  const failed = await bench.send(waiting.pid, "fails");
  await bench.commit(waiting.lease, [], { acts: [["retry", failed, 60_000]] });
  await commitAll(sender, send("cast", paused.pid, 1), send("cast", waiting.pid, 1));
  await deliver(sender);
  for (const held of [paused, waiting]) {
    assert.equal(await bench.isBusy(held), false);
    assert.equal((await bench.readRecord(held.pid))["b"], "0");
  }
  assert.deepEqual(await contentsOf(waiting.pid), ["fails", 1]);
  assert.deepEqual(await contentsOf(paused.pid), [1]);
});

test("what is sent to nobody is dropped and named; the rest of the outbox goes on", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const nobody = `${moduleOf(target.pid)}/nobody`;
  await commitAll(
    sender,
    send("cast", nobody, 1),
    send("stop", nobody, { reason: "normal" }),
    send("cast", target.pid, 2),
  );
  await deliver(sender);
  assert.deepEqual(await contentsOf(target.pid), [2]);
  const told = undeliverable.filter(({ pid }) => pid === nobody).map(({ reason, sender: from }) => [reason, from]);
  assert.deepEqual(told, [
    ["no_process", sender.pid],
    ["no_process", sender.pid],
  ]);
});

test("a start and what follows it reach a process that nobody runs yet", async () => {
  const sender = await bench.startProcess();
  const pid: Pid = "unrun/one";
  await commitAll(sender, send("start", pid, null), send("cast", pid, 1));
  await deliver(sender);
  const session = await bench.joinWorker("unrun");
  const claimed = await bench.claim(pid, session);
  assert.deepEqual(
    claimed.messages.map(({ kind }) => kind),
    ["start", "cast"],
  );
});

test("a message to a process that is started by its first waits where nobody runs it yet", async () => {
  const sender = await bench.startProcess();
  const pid: Pid = "undemanded/one";
  const start = () => `${newMessageId(keys.partitionOf(pid))} ${seal("null")}`;
  await commitAll(sender, send("cast", pid, 1, start()), send("cast", pid, 2, start()));
  await deliver(sender);
  const session = await bench.joinWorker("undemanded");
  const { messages } = await bench.claim(pid, session);
  assert.deepEqual(
    messages.map(({ kind }) => kind),
    ["start", "cast", "cast"],
  );
});

test("a monitor of nobody is told so once, and so is a link", async () => {
  const sender = await bench.startProcess();
  const nobody = "nobody/here";
  const name = await commitAll(
    sender,
    send("monitor", nobody, "ref"),
    send("link", nobody, { pid: sender.pid, ref: "l" }),
  );
  await deliverOnly(sender, nobody, name);
  await deliver(sender);
  assert.deepEqual(await mailOf(sender.pid), [
    { kind: "down", message: { type: "DOWN", ref: "ref", pid: nobody, reason: "noproc" } },
    { kind: "exit", message: { pid: nobody, reason: "noproc", refs: ["l"] } },
  ]);
});

test("a kill between processes tells which state in a store of its own no record names any more", async () => {
  const sender = await bench.startProcess();
  for (const [options, isForgotten] of [
    ["forget", true],
    ["", false],
  ] as const) {
    const target = await bench.startProcess();
    const reference = "@cold 1 1 write";
    assert.ok(await bench.commit(target.lease, [], { stateText: reference }));
    await commitAll(sender, send("exit", target.pid, { pid: sender.pid, reason: "kill" }, options));
    await deliver(sender);
    assert.deepEqual(
      bench.wiped.filter(([pid]) => pid === target.pid),
      isForgotten ? [[target.pid, reference]] : [],
    );
    assert.equal((await bench.readRecord(target.pid))["d"], isForgotten ? undefined : reference);
  }
});

test("what is delivered does not wait for a store, and settle does", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  assert.ok(await bench.commit(target.lease, [], { stateText: "@cold 1 1 write" }));
  const unwiped: unknown[] = [];
  const stopListening = bench.events.listen(
    ({ name, fields }) => name === "state.unwiped" && unwiped.push(fields["pid"]),
  );
  const store = Promise.withResolvers<void>();
  const node = new Outboxes({ link: bench.link, keys, events: bench.events, wipeState: () => store.promise });
  await commitAll(sender, send("exit", target.pid, { pid: sender.pid, reason: "kill" }, "forget"));
  await node.empty(sender.lease.partition, await outboxOf(sender));
  assert.deepEqual([await bench.readRecord(target.pid), unwiped], [{}, []]);
  store.reject(new Error("away"));
  await node.settle();
  assert.deepEqual(unwiped, [target.pid]);
  stopListening();
});

test("who watches is told of an end after all that was sent before it", async () => {
  const [watcher, target] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(watcher, send("monitor", target.pid, "ref"));
  await deliver(watcher);
  const name = await outboxOf(target);
  const last = await bench.commit(target.lease, [], {
    life: "wiped",
    reason: "tired",
    acts: [send("cast", watcher.pid, "last words")],
  });
  assert.equal(last?.sent, 2);
  await bench.outboxes.empty(target.lease.partition, name);
  await untilDelivered();
  assert.deepEqual(await contentsOf(watcher.pid), [
    "last words",
    { type: "DOWN", ref: "ref", pid: target.pid, reason: "tired" },
  ]);
});

test("a member of a group gets each publication once, also where its delivery is repeated", async () => {
  const [one, other] = [await bench.startProcess(), await bench.startProcess()];
  for (const member of [one, other]) {
    await commitAll(member, send("join", "choir-1", member.pid), ["tie", "g:choir-1", "1"]);
    await deliver(member);
  }
  const name = await commitAll(one, send("publish", "choir-1", "sing"));
  await deliverOnly(one, "choir-1", name);
  await deliver(one);
  assert.deepEqual([await contentsOf(one.pid), await contentsOf(other.pid)], [["sing"], ["sing"]]);
});

test("a process that joins again in its next life stays a member, however late it left in the one before", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const held = { pid, session, lease };
  await commitAll(held, send("join", "choir-2", pid), ["tie", "g:choir-2", "1"]);
  await deliver(held);
  const before = await outboxOf(held);
  assert.ok(await bench.commit(lease, [], { life: "wiped" }));
  // Its node dies before it has delivered that it left; a new life begins and joins meanwhile.
  assert.equal((await bench.begin(pid))[0], "queued");
  const claimed = await bench.claim(pid, session);
  const again = { pid, session, lease: bench.leaseOf(pid, session, claimed) };
  await bench.commit(
    again.lease,
    claimed.messages.map(({ id }) => id),
    {
      life: "alive",
      stateText: "0",
      bytes: Buffer.byteLength(seal("null")),
      acts: [send("join", "choir-2", pid), ["tie", "g:choir-2", "1"]],
    },
  );
  await deliver(again);
  await bench.outboxes.empty(lease.partition, before);
  await untilDelivered();
  assert.deepEqual(await bench.link.call("hkeys", keys.group("choir-2")), [pid]);
});

test("a deferred call is answered once, by whoever answers first, and not after its process has ended", async () => {
  const [asked, other] = [await bench.startProcess(), await bench.startProcess()];
  const first = await bench.send(asked.pid, 1, { kind: "call" });
  await defer(asked, first);
  assert.equal(await bench.readOutcome(first), undefined);
  const answer = (value: number) => send("reply", asked.pid, { status: "done", reply: value }, first);
  await commitAll(other, answer(1), answer(2));
  await deliver(other);
  assert.deepEqual(await bench.readOutcome(first), { status: "done", reply: 1 });

  const second = await bench.send(asked.pid, 2, { kind: "call" });
  await defer(asked, second);
  assert.ok(await bench.commit(asked.lease, [], { life: "wiped" }));
  await commitAll(other, send("reply", asked.pid, { status: "done", reply: 3 }, second));
  await deliver(other);
  assert.equal((await bench.readOutcome(second))?.status, "dropped");
});

async function defer({ lease }: Held, id: string): Promise<void> {
  const settlement = { id, verdict: "deferred" as const, outcome: "", replyTo: "api", hash: "", keepMs: 60_000 };
  const bytes = Buffer.byteLength(seal("1"));
  assert.ok(await bench.commit(lease, [], { settlements: [settlement], turns: 1, bytes }));
}

test("an entry that is too old for it to be known whether it was taken is dropped and named", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const id = newMessageId(keys.partitionOf(target.pid));
  const at = Date.now() - 23 * 3_600_000 - 1_000;
  const entry = ["1", "cast", target.pid, id, "0", String(at), "", seal("1")].join("\n");
  const dropped = await deliverOnly(sender, target.pid, await outboxOf(sender), [entry]);
  assert.deepEqual(dropped, [target.pid, id, "expired"]);
  assert.deepEqual(await contentsOf(target.pid), []);
});

test("what a session has sent goes on after its end", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(sender, send("cast", target.pid, 1));
  await evictSession(bench.link, keys, sender.session);
  await until(
    async () => {
      await bench.outboxes.emptyLeftBehind(sender.lease.partition);
      return (await contentsOf(target.pid)).length === 1;
    },
    { withinMs: 5_000, everyMs: 100, what: "what was left behind for a second is delivered" },
  );
});

test("an entry that no script can read is dropped and named, and costs neither those before it nor those behind", async () => {
  const [sender, target] = [await bench.startProcess(), await bench.startProcess()];
  const isHalf = { pid: sender.pid, reason: "\ud83d" };
  const name = await commitAll(
    sender,
    send("cast", target.pid, 1),
    send("exit", target.pid, isHalf),
    send("link", target.pid, { pid: sender.pid, ref: { no: "ref" } }),
    send("cast", target.pid, 2),
  );
  await deliverOnly(sender, target.pid, name);
  assert.deepEqual(await contentsOf(target.pid), [1, 2]);
  assert.equal(await bench.link.call("exists", keys.watch(keys.partitionOf(target.pid), target.pid)), 0);
  await deliver(sender);
  assert.deepEqual(await contentsOf(target.pid), [1, 2]);

  await commitAll(sender, send("exit", target.pid, isHalf));
  await deliver(sender);
  const told = undeliverable.filter(({ pid }) => pid === target.pid).map(({ reason }) => reason);
  assert.deepEqual(told, ["invalid"]);
});

test("an answer that is early is kept until its call is settled, in whatever way, and becomes the outcome of one that is deferred", async () => {
  const [asked, other] = [await bench.startProcess(), await bench.startProcess()];
  const { partition, pid } = asked.lease;
  const early = async () => await bench.link.call<string[]>("hkeys", keys.deferred(partition, await outboxOf(asked)));
  const [deferred, replied, failed, taken, skipped] = [
    await bench.send(pid, 1, { kind: "call" }),
    await bench.send(pid, 1, { kind: "call" }),
    await bench.send(pid, 1, { kind: "call" }),
    await bench.send(pid, 1, { kind: "call" }),
    await bench.send(pid, 1, { kind: "call" }),
  ];
  const ids = [deferred, replied, failed, taken, skipped];
  await commitAll(other, ...ids.map((id) => send("reply", pid, { status: "done", reply: "early" }, id)));
  await deliver(other);
  assert.deepEqual((await early()).sort(), [...ids].sort());

  await defer(asked, deferred);
  assert.deepEqual(await bench.readOutcome(deferred), { status: "done", reply: "early" });
  const bytes = Buffer.byteLength(seal("1"));
  assert.ok(await bench.commit(asked.lease, [replied], { bytes, width: 0 }));
  assert.ok(await bench.commit(asked.lease, [failed], { bytes, width: 0 }, "dead"));
  assert.deepEqual((await early()).sort(), [taken, skipped].sort());

  const partitionKeys = [keys.base(partition), skipped];
  await bench.link.run("pause", [keys.process(partition, pid)], [keys.base(partition), pid]);
  await bench.putDown(asked);
  assert.equal(await bench.link.run("cancel", [keys.outcome(partition, skipped)], partitionKeys), "dropped");
  const skip = [keys.base(partition), pid, newMessageId(partition), "", 60_000, taken];
  assert.equal((await bench.link.run<[string]>("skip", [keys.process(partition, pid)], skip))[0], "skipped");
  assert.deepEqual(await early(), []);
});

test("an answer to a call of a life that has ended is kept nowhere", async () => {
  const [asked, other] = [await bench.startProcess(), await bench.startProcess()];
  for (let cast = 0; cast < 200; cast++) await bench.send(asked.pid, 1);
  const call = await bench.send(asked.pid, 1, { kind: "call" });
  const before = await outboxOf(asked);
  assert.equal((await bench.commit(asked.lease, [], { life: "stopped" }))?.isSwept, false);
  await commitAll(other, send("reply", asked.pid, { status: "done", reply: 1 }, call));
  await deliver(other);
  assert.equal(await bench.link.call("exists", keys.deferred(asked.lease.partition, before)), 0);
  await bench.leases.sweep(asked.lease.partition);
  assert.equal((await bench.readOutcome(call))?.error?.code, "no_process");
});
