import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit } from "../../../test/tools/audit.ts";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { until } from "../../../test/tools/until.ts";
import { newMessageId } from "../process/message.ts";
import { mailboxName } from "../redis/keys.ts";
import { seal } from "./envelope.ts";
import { evictSession } from "./eviction.ts";
import type { Act, Fetched } from "./leases.ts";
import { type Held, ScriptBench } from "./scripts.test-support.ts";

/** What a commit does beside state and outcomes – timers, ties, tries, quarantine – and what stands when it is late, lost or doubled. */

const bench = new ScriptBench();
const { keys } = bench;

let redis: ReturnType<typeof bench.server.connect>;

before(async () => {
  await bench.start();
  redis = bench.server.connect();
});

/** Whatever a test did, what it leaves in Redis fits together; the next begins without it. */
afterEach(async () => {
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

const idsOf = (messages: readonly Fetched[] = []) => messages.map(({ id }) => id);

/** A timer's message, due in so many ms. */
function arm({ lease }: Held, inMs: number): [id: string, act: Act] {
  const id = newMessageId(lease.partition);
  return [id, ["arm", id, Date.now() + inMs, seal('"tick"', { timer: "t" })]];
}

/** A commit of what was handled, with the bytes of casts of this content. */
function handled(ids: readonly string[], content: unknown = 1) {
  return { bytes: ids.length * Buffer.byteLength(seal(JSON.stringify(content))) };
}

async function ring({ lease }: Held): Promise<void> {
  await bench.leases.ring(lease.partition);
}

/** What the process waits for – a timer, a next try – is due now, however far ahead it was set. */
async function comeDue({ pid, lease: { partition } }: Held): Promise<void> {
  const now = Date.now();
  const { i = "", p } = await bench.readRecord(pid);
  if (p !== undefined) await redis.hset(keys.process(partition, pid), "p", `retry ${now}`);
  const delayed = keys.queue(partition, mailboxName(pid, i), "delayed");
  for (const id of await redis.zrange(delayed, "0", "-1")) await redis.zadd(delayed, now * 4096, id);
  assert.equal(await redis.zadd(keys.due(partition), "XX", "CH", now, pid), 1, `${pid} is in the due index`);
}

/** Rings until the process has something to do. */
async function untilRung(held: Held): Promise<void> {
  const isRung = async () => {
    await ring(held);
    return await bench.isBusy(held);
  };
  await until(isRung, { withinMs: 10_000, everyMs: 5, what: `${held.pid} is rung` });
}

async function totals({ pid }: Held): Promise<number[]> {
  return await Promise.all(["queued", "delayed"].map((what) => bench.count(pid, what)));
}

test("a timer is set with the commit, waits without keeping its process busy, and is rung", async () => {
  const held = await bench.startProcess();
  const before = await totals(held);
  const [id, act] = arm(held, 60_000);
  await bench.commit(held.lease, [], { acts: [act] });
  assert.deepEqual(await totals(held), [(before[0] ?? 0) + 1, (before[1] ?? 0) + 1]);
  const { n, w, b } = await bench.readRecord(held.pid);
  assert.deepEqual([n, w, b], ["1", "1", "0"]);
  await comeDue(held);
  await untilRung(held);
  assert.deepEqual(idsOf((await bench.claim(held.pid, held.session, held.lease.epoch)).messages), [id]);
  assert.deepEqual(await totals(held), [before[0] ?? 0, before[1] ?? 0]);
});

test("a timer that is due already is handed out with the commit that sets it, after the mail before it", async () => {
  const held = await bench.startProcess();
  const first = await bench.send(held.pid, 1);
  const second = await bench.send(held.pid, 1);
  const [id, act] = arm(held, -5);
  const committed = await bench.commit(held.lease, [first], { ...handled([first]), acts: [act] });
  assert.deepEqual(idsOf(committed?.messages), [second, id]);
});

test("a commit that is refused, or sent twice, sets no timer", async () => {
  const held = await bench.startProcess();
  const [, act] = arm(held, 60_000);
  assert.equal(await bench.commit({ ...held.lease, epoch: "999" }, [], { acts: [act] }), undefined);
  const again = { ...held.lease };
  assert.ok(await bench.commit(held.lease, [], { acts: [act] }));
  assert.equal(await bench.commit(again, [], { acts: [act] }), undefined);
  assert.equal((await bench.readRecord(held.pid))["w"], "1");
});

test("a timer is cancelled until it is mail; then it waits for its turn; twice changes nothing", async () => {
  const held = await bench.startProcess();
  const [early, armEarly] = arm(held, 60_000);
  const [inHand, armInHand] = arm(held, -5);
  const [waiting, armWaiting] = arm(held, -5);
  await bench.commit(held.lease, [], { width: 0, acts: [armEarly, armInHand] });
  assert.deepEqual(idsOf((await bench.claim(held.pid, held.session, held.lease.epoch)).messages), [inHand]);
  const all: Act[] = [early, inHand, waiting].map((id) => ["disarm", id]);
  await bench.commit(held.lease, [], { width: 0, acts: [armWaiting, ...all] });
  await bench.commit(held.lease, [], { width: 0, acts: all });
  const { n, w } = await bench.readRecord(held.pid);
  assert.deepEqual([n, w], ["2", "0"]);
  const bytes = Buffer.byteLength(seal('"tick"', { timer: "t" }));
  assert.deepEqual(idsOf((await bench.commit(held.lease, [inHand], { bytes }))?.messages), [waiting]);
});

test("a timer that is set and cancelled in one commit leaves nothing", async () => {
  const held = await bench.startProcess();
  const before = await totals(held);
  const [id, act] = arm(held, 60_000);
  await bench.commit(held.lease, [], { acts: [act, ["disarm", id]] });
  assert.deepEqual(await totals(held), before);
  assert.equal((await bench.readRecord(held.pid))["n"], "0");
});

test("a process that sleeps is woken by its timer, also where its worker has ended meanwhile", async () => {
  const held = await bench.startProcess();
  const [id, act] = arm(held, 60_000);
  await bench.commit(held.lease, [], { acts: [act] });
  assert.equal(await bench.leases.passivate(held.lease), "done");
  const heir = await bench.joinWorker(held.pid.split("/")[0] ?? "");
  await evictSession(bench.link, keys, held.session);
  await comeDue(held);
  await untilRung({ ...held, session: heir });
  assert.deepEqual(idsOf((await bench.claim(held.pid, heir)).messages), [id]);
});

test("a process that ends takes its timers with it, and what it sent stays", async () => {
  const [held, other] = [await bench.startProcess(), await bench.startProcess()];
  const before = await totals(held);
  const [, pending] = arm(held, 60_000);
  await bench.commit(held.lease, [], { acts: [pending] });
  const [, late] = arm(held, 60_000);
  const send: Act = ["send", "cast", other.pid, newMessageId(other.lease.partition), 0, "", seal("1")];
  const name = mailboxName(held.pid, (await bench.readRecord(held.pid))["i"] ?? "");
  const last = await bench.commit(held.lease, [], { life: "wiped", acts: [late, send] });
  assert.equal(last?.sent, 1);
  assert.deepEqual(await totals(held), before);
  assert.deepEqual(await bench.readRecord(held.pid), {});
  assert.equal(await bench.link.call("llen", keys.outbox(held.lease.partition, name)), 1);
});

test("a failed message waits for its next try at the head of its mailbox, and nothing is handled before it", async () => {
  const held = await bench.startProcess();
  const ids = [await bench.send(held.pid, 1), await bench.send(held.pid, 1), await bench.send(held.pid, 1)];
  const fetched = await bench.commit(held.lease, ids.slice(0, 1), handled(ids.slice(0, 1)));
  assert.deepEqual(idsOf(fetched?.messages), ids.slice(1));
  const failed = await bench.commit(held.lease, [], { acts: [["retry", ids[1] ?? "", 60_000]] });
  assert.match(failed?.heldBack ?? "", /^retry \d+$/);
  const last = await bench.send(held.pid, 1);
  assert.equal((await bench.tryToClaim(held.pid, held.session, held.lease.epoch)).verdict, "later");
  await ring(held);
  assert.equal(await bench.isBusy(held), false);
  await comeDue(held);
  await untilRung(held);
  const { messages } = await bench.claim(held.pid, held.session, held.lease.epoch);
  assert.deepEqual(idsOf(messages), [...ids.slice(1), last]);
  assert.deepEqual(
    messages.map(({ tries }) => tries),
    [1, 0, 0],
  );
});

test("a failed message is tried again although its worker has died meanwhile", async () => {
  const held = await bench.startProcess();
  const id = await bench.send(held.pid, 1);
  await bench.commit(held.lease, [], { acts: [["retry", id, 30]] });
  const heir = await bench.joinWorker(held.pid.split("/")[0] ?? "");
  await evictSession(bench.link, keys, held.session);
  await untilRung({ ...held, session: heir });
  const { messages } = await bench.claim(held.pid, heir);
  assert.deepEqual(
    messages.map(({ id: each, tries, deaths }) => [each, tries, deaths]),
    [[id, 1, 0]],
  );
});

test("a failed message is tried again although the worker that claims it first fetches nothing and dies", async () => {
  const held = await bench.startProcess();
  const id = await bench.send(held.pid, 1);
  await bench.commit(held.lease, [], { acts: [["retry", id, 1]] });
  await until(async () => (await bench.leases.claim(held.pid, held.session, held.lease.epoch, 0)).verdict === "ok", {
    withinMs: 10_000,
    everyMs: 1,
  });
  const heir = await bench.joinWorker(held.pid.split("/")[0] ?? "");
  await evictSession(bench.link, keys, held.session);
  await untilRung({ ...held, session: heir });
  assert.deepEqual(idsOf((await bench.claim(held.pid, heir)).messages), [id]);
});

test("a pause takes the place of the wait for the next try, and the resume tries at once", async () => {
  const held = await bench.startProcess();
  const { partition } = held.lease;
  const id = await bench.send(held.pid, 1);
  await bench.commit(held.lease, [], { acts: [["retry", id, 60_000]] });
  await bench.link.run("pause", [keys.process(partition, held.pid)], [keys.base(partition), held.pid]);
  await bench.putDown(held);
  await bench.link.run("resume", [keys.process(partition, held.pid)], [keys.base(partition), held.pid, "paused"]);
  assert.deepEqual(idsOf((await bench.claim(held.pid, held.session)).messages), [id]);
});

test("a process that is quarantined keeps its mail and its timers, and nobody has it", async () => {
  const held = await bench.startProcess();
  const { partition } = held.lease;
  const ids = [await bench.send(held.pid, 1), await bench.send(held.pid, 1)];
  const [timer, act] = arm(held, 20);
  const committed = await bench.commit(held.lease, ids.slice(0, 1), {
    ...handled(ids.slice(0, 1)),
    acts: [act, ["quarantine", "too many crashes"]],
  });
  assert.equal(committed?.heldBack, "quarantined");
  const { p, f, o, b } = await bench.readRecord(held.pid);
  assert.deepEqual([p, f, o, b], ["quarantined", "too many crashes", "", "0"]);
  assert.equal(await bench.commit(held.lease, [], { width: 0 }), undefined, "the lease has ended");
  await until(() => Date.now() > Number(act[2]), { withinMs: 1_000, everyMs: 5 });
  await ring(held);
  assert.equal(await bench.isBusy(held), false);
  await bench.link.run("resume", [keys.process(partition, held.pid)], [keys.base(partition), held.pid, "quarantined"]);
  assert.deepEqual(idsOf((await bench.claim(held.pid, held.session)).messages), [ids[1], timer]);
  assert.equal((await bench.readRecord(held.pid))["f"], undefined);
});

test("a process that is put down twice on the way to its quarantine counts once", async () => {
  const held = await bench.startProcess();
  const { partition } = held.lease;
  const before = [await bench.count(held.pid, "paused"), await bench.count(held.pid, "quarantined")];
  const id = await bench.send(held.pid, 1);
  await bench.link.run("pause", [keys.process(partition, held.pid)], [keys.base(partition), held.pid]);
  await bench.commit(held.lease, [id], { ...handled([id]), acts: [["quarantine", "why"]] });
  const after = [await bench.count(held.pid, "paused"), await bench.count(held.pid, "quarantined")];
  assert.deepEqual(after, [before[0], (before[1] ?? 0) + 1]);
});

test("ties are there for the next owner, and go with the life", async () => {
  const held = await bench.startProcess();
  const { partition } = held.lease;
  await bench.commit(held.lease, [], {
    acts: [
      ["tie", "t:one", "1"],
      ["tie", "t:two", "2"],
      ["untie", "t:one"],
    ],
  });
  assert.deepEqual(
    (await bench.claim(held.pid, held.session, held.lease.epoch)).ties,
    [],
    "a renewal has them already",
  );
  const heir = await bench.joinWorker(held.pid.split("/")[0] ?? "");
  await evictSession(bench.link, keys, held.session);
  const claimed = await bench.claim(held.pid, heir);
  assert.deepEqual(claimed.ties, [["t:two", "2"]]);
  const name = mailboxName(held.pid, claimed.incarnation);
  assert.ok(await bench.commit(bench.leaseOf(held.pid, heir, claimed), [], { life: "stopped", stateText: "1" }));
  assert.equal(await bench.link.call("exists", keys.own(partition, name)), 0);
});

test("a lease that was given up leaves no trace that would blame its session later", async () => {
  const held = await bench.startProcess();
  const heir = await bench.joinWorker(held.pid.split("/")[0] ?? "");
  assert.equal(await bench.leases.handOver(held.lease), "done");
  await evictSession(bench.link, keys, heir);
  assert.equal((await bench.readRecord(held.pid))["c"], undefined);
});

test("a session that is given a process again whose lease it had ended holds it, whatever it remembers", async () => {
  const held = await bench.startProcess();
  const { partition, epoch } = held.lease;
  await bench.link.run("pause", [keys.process(partition, held.pid)], [keys.base(partition), held.pid]);
  assert.ok(await bench.commit(held.lease, [], { width: 0 }));
  const id = await bench.send(held.pid, 1);
  await bench.link.run("resume", [keys.process(partition, held.pid)], [keys.base(partition), held.pid, "paused"]);
  assert.deepEqual(idsOf((await bench.claim(held.pid, held.session, epoch)).messages), [id]);
  assert.equal(await bench.link.call("sismember", `${keys.base(partition)}held:${held.session}`, held.pid), 1);
});

test("a commit takes as many ties as a turn can set at once", async () => {
  const held = await bench.startProcess();
  const id = await bench.send(held.pid, 1);
  const acts: Act[] = Array.from({ length: 10_000 }, (_, index) => ["tie", `g:group-${index}`, "1"]);
  assert.ok(await bench.commit(held.lease, [id], { ...handled([id]), acts }));
  assert.equal((await bench.readRecord(held.pid))["h"], "1");
  const own = keys.own(held.lease.partition, mailboxName(held.pid, (await bench.readRecord(held.pid))["i"] ?? ""));
  assert.equal(await redis.hlen(own), 10_000);
});
