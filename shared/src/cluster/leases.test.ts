import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Queue } from "bullmq";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { RedisServer } from "../../../test/tools/redis-server.ts";
import type { Outcome } from "../process/outcome.ts";
import type { Pid } from "../process/pid.ts";
import { RedisLink } from "../redis/connection.ts";
import { Keys, moduleOf } from "../redis/keys.ts";
import { loadScripts } from "../redis/scripts.ts";
import { Events } from "../service/events.ts";
import { evictSession } from "./eviction.ts";
import { type Claimed, type CommitRequest, type Lease, Leases, type NotClaimed } from "./leases.ts";
import { readPublishedLua } from "./mailbox.ts";

/** The scripts themselves, step by step: what each refuses, and what stands where when a step is late, lost or doubled. */

const server = new RedisServer();
const keys = new Keys("t", 4);
let link: RedisLink;
let leases: Leases;
let named = 0;

before(async () => {
  await server.start();
  const scripts = loadScripts(readPublishedLua());
  link = new RedisLink({ url: server.url, name: "test", scripts, events: new Events(), silenceMs: 3_000 });
  await link.start();
  leases = new Leases(link, keys);
});

after(async () => {
  await link.stop();
  await server.stop();
  assertNoChildLeft();
});

/** A module of its own for each test, so that tests do not share workers. */
function aModule(): string {
  return `m${++named}`;
}

/** A new session, for sessions are never reused. */
async function joinWorker(module: string): Promise<string> {
  const session = `worker@${++named}`;
  for (let partition = 0; partition < keys.partitions; partition++) {
    await link.run("join", [keys.live(partition)], [keys.base(partition), session, module, 100]);
  }
  return session;
}

let ids = 0;
function anId(pid: Pid): string {
  return `${keys.partitionOf(pid)}-00000000-0000-4000-8000-${String(++ids).padStart(12, "0")}`;
}

interface Sent {
  id?: string;
  hash?: string;
  delayMs?: number;
  most?: number;
  needsWorker?: boolean;
}

function envelopeOf(message: unknown, hash = ""): string {
  return `{"f":"","h":"${hash}","k":60000,"m":${JSON.stringify(message)}}`;
}

async function send(
  pid: Pid,
  message: unknown,
  sent: Sent = {},
): Promise<[verdict: string, id: string, detail: string]> {
  const { id = anId(pid), hash = "", delayMs = 0, most = 100, needsWorker = false } = sent;
  const partition = keys.partitionOf(pid);
  const args = [keys.base(partition), pid, id, "cast", envelopeOf(message, hash), hash, delayMs, most, 1_000_000];
  const [verdict, detail] = await link.run<[string, string]>(
    "enqueue",
    [keys.process(partition, pid)],
    [...args, needsWorker ? 1 : 0, "", ""],
  );
  return [verdict, id, detail];
}

async function start(pid: Pid, id = anId(pid)): Promise<string[]> {
  const partition = keys.partitionOf(pid);
  const args = [keys.base(partition), pid, id, envelopeOf(null), "", ""];
  return await link.run<string[]>("start", [keys.process(partition, pid)], args);
}

async function claim(pid: Pid, session: string, epoch = "", width = 10): Promise<Claimed> {
  const claimed = await leases.claim(pid, session, epoch, width);
  assert.equal(claimed.verdict, "ok");
  return claimed as Claimed;
}

function leaseOf(pid: Pid, session: string, { epoch, revision }: Claimed): Lease {
  return { pid, partition: keys.partitionOf(pid), session, epoch, revision };
}

function commitOf(handled: readonly string[], rest: Partial<CommitRequest> = {}): CommitRequest {
  const settlements = handled.map((id) => ({
    id,
    verdict: "done" as const,
    outcome: '{"status":"done"}',
    replyTo: "",
    hash: "",
    keepMs: 60_000,
  }));
  const request = { width: 10, stateText: undefined, version: 1, continueText: undefined, life: "" as const, bytes: 0 };
  return { ...request, turns: handled.length, settlements, acts: [], reason: "", ...rest };
}

/** A process that has begun, idle, held by a worker of its own, into whose hand messages are put. */
interface Held {
  pid: Pid;
  session: string;
  lease: Lease;
}

async function aHeldProcess(): Promise<Held> {
  const module = aModule();
  const session = await joinWorker(module);
  const pid: Pid = `${module}/p`;
  assert.equal((await start(pid))[0], "queued");
  const claimed = await claim(pid, session);
  const lease = leaseOf(pid, session, claimed);
  const committed = await leases.commit(
    lease,
    commitOf(
      claimed.messages.map(({ id }) => id),
      { life: "alive", stateText: "0", bytes: Buffer.byteLength(envelopeOf(null)) },
    ),
  );
  assert.ok(committed);
  lease.revision = committed.revision;
  return { pid, session, lease };
}

/** As `aHeldProcess`, but its worker has not claimed it under this lease: messages wait for a claim. */
async function aProcess(): Promise<Held> {
  const held = await aHeldProcess();
  await link.call("hdel", keys.process(held.lease.partition, held.pid), "c");
  return held;
}

async function readOutcome(id: string): Promise<Outcome | undefined> {
  const text = await link.call<string | null>("get", keys.outcome(Number(id.split("-")[0]), id));
  return text?.startsWith("o|") ? (JSON.parse(text.slice(text.indexOf("|", 2) + 1)) as Outcome) : undefined;
}

async function readRecord(pid: Pid): Promise<Record<string, string>> {
  return await link.call("hgetall", keys.process(keys.partitionOf(pid), pid));
}

test("begins a process exactly once, whoever asks", async () => {
  const module = aModule();
  await joinWorker(module);
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => start(`${module}/p`)));
  assert.deepEqual(
    verdicts
      .map(([verdict]) => verdict)
      .sort()
      .slice(-1),
    ["queued"],
  );
  assert.equal(verdicts.filter(([verdict]) => verdict === "queued").length, 1);
});

test("a start that is sent twice begins one incarnation", async () => {
  const module = aModule();
  await joinWorker(module);
  const id = anId(`${module}/p`);
  assert.equal((await start(`${module}/p`, id))[0], "queued");
  assert.equal((await start(`${module}/p`, id))[0], "known");
});

test("refuses a start for which there is no worker, and changes nothing", async () => {
  const module = aModule();
  assert.equal((await start(`${module}/p`))[0], "no_workers");
  assert.deepEqual(await readRecord(`${module}/p`), {});
});

test("adds a message that is sent twice once, and knows another body under its id", async () => {
  const { pid, session, lease } = await aProcess();
  const [first, id] = await send(pid, 1, { hash: "one" });
  const [second, , detail] = await send(pid, 1, { id, hash: "one" });
  assert.deepEqual([first, second, detail.split("|")[1]], ["queued", "known", "one"]);
  const claimed = await claim(pid, session, lease.epoch);
  assert.deepEqual(
    claimed.messages.map((message) => message.id),
    [id],
  );
});

test("a message sent again after its outcome finds the outcome", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1);
  await claim(pid, session, lease.epoch);
  assert.ok(await leases.commit(lease, commitOf([id])));
  const [verdict, , detail] = await send(pid, 1, { id });
  assert.deepEqual([verdict, detail], ["known", 'o||{"status":"done"}']);
});

test("refuses what goes over the bounds of a mailbox, and a process that is not there", async () => {
  const { pid } = await aProcess();
  await send(pid, 1, { most: 2 });
  await send(pid, 2, { most: 2 });
  assert.equal((await send(pid, 3, { most: 2 }))[0], "mailbox_full");
  assert.equal((await send(`${pid}x`, 1))[0], "no_process");
});

test("gives the room in a mailbox back with the commit", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1, { most: 1 });
  await claim(pid, session, lease.epoch);
  await leases.commit(lease, commitOf([id], { bytes: Buffer.byteLength(envelopeOf(1)) }));
  assert.equal((await send(pid, 2, { most: 1 }))[0], "queued");
  const { n, z } = await readRecord(pid);
  assert.deepEqual([n, z], ["1", String(Buffer.byteLength(envelopeOf(2)))]);
});

test("refuses a commit of another session, another epoch, another revision, or of messages that are not in hand", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1);
  await claim(pid, session, lease.epoch);
  const before = await readRecord(pid);
  const wrong: Partial<Lease>[] = [{ session: "worker@x" }, { epoch: "999999" }, { revision: lease.revision + 1 }];
  for (const part of wrong) {
    assert.equal(await leases.commit({ ...lease, ...part }, commitOf([id], { stateText: "9" })), undefined);
  }
  assert.equal(await leases.commit(lease, commitOf([anId(pid)], { stateText: "9" })), undefined);
  assert.deepEqual(await readRecord(pid), before);
  assert.equal(await readOutcome(id), undefined);
});

test("a commit that is sent twice is made once", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1);
  await claim(pid, session, lease.epoch);
  assert.ok(await leases.commit(lease, commitOf([id], { stateText: "1" })));
  assert.equal(await leases.commit(lease, commitOf([id], { stateText: "2" })), undefined);
  assert.equal((await readRecord(pid))["d"], "1");
});

test("a worker that was paused with messages in hand finds its commit refused after another claimed them", async () => {
  const { pid, session, lease } = await aProcess();
  const module = pid.split("/")[0] as string;
  const sent = [await send(pid, 1), await send(pid, 2), await send(pid, 3)].map(([, id]) => id);
  const late = await claim(pid, session, lease.epoch);
  assert.equal(late.messages.length, 3);
  const heir = await joinWorker(module);
  await evictSession(link, keys, session);

  const fresh = await claim(pid, heir);
  assert.notEqual(fresh.epoch, late.epoch);
  assert.equal(await leases.commit(lease, commitOf(sent, { stateText: '"late"' })), undefined);
  const taken = leaseOf(pid, heir, fresh);
  const handled = [...fresh.messages];
  for (let batch = fresh.messages; batch.length > 0; ) {
    assert.equal(batch.length, 1, "what was in hand is handed out one by one");
    const committed = await leases.commit(taken, commitOf(batch.map(({ id }) => id)));
    assert.ok(committed);
    taken.revision = committed.revision;
    batch = committed.messages;
    handled.push(...batch);
  }
  assert.deepEqual(
    handled.map(({ id }) => id),
    sent,
    "in their old order",
  );
  assert.equal(fresh.stateText, "0");
});

test("an evicted session may not claim, and finds that out", async () => {
  const { pid, session } = await aProcess();
  await evictSession(link, keys, session);
  assert.deepEqual(await leases.claim(pid, session, "", 10), { verdict: "dead" } satisfies NotClaimed);
});

test("a claim that arrives late, after a newer one of the same session, is stale", async () => {
  const { pid, session } = await aProcess();
  await send(pid, 1);
  const fresh = await claim(pid, session);
  // The first claim that another instance makes has the number 1, as one that was held up on the way would.
  assert.equal((await new Leases(link, keys).claim(pid, session, "", 10)).verdict, "stale");
  assert.ok(await leases.commit(leaseOf(pid, session, fresh), commitOf(fresh.messages.map(({ id }) => id))));
});

test("a claim whose answer was lost is made anew with a new epoch, and nothing is handed out twice at once", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1);
  await leases.claim(pid, session, lease.epoch, 10);
  const again = await claim(pid, session);
  assert.deepEqual(
    again.messages.map((message) => message.id),
    [id],
  );
  assert.equal(await leases.commit(lease, commitOf([id])), undefined);
  assert.ok(await leases.commit(leaseOf(pid, session, again), commitOf([id])));
});

test("a claim of another's process is sent on to its owner", async () => {
  const { pid, session, lease } = await aProcess();
  const other = await joinWorker(pid.split("/")[0] as string);
  await send(pid, 1);
  assert.equal((await leases.claim(pid, other, "", 10)).verdict, "moved");
  assert.equal((await claim(pid, session, lease.epoch)).messages.length, 1);
});

test("two nodes that evict one session at once move its processes once", async () => {
  const { pid, session } = await aProcess();
  const heir = await joinWorker(pid.split("/")[0] as string);
  const [, id] = await send(pid, 1);
  await Promise.all([evictSession(link, keys, session), evictSession(link, keys, session)]);
  assert.deepEqual(await leases.readBusy(keys.partitionOf(pid), heir), [pid]);
  assert.deepEqual(
    (await claim(pid, heir)).messages.map((message) => message.id),
    [id],
  );
});

test("mail without any worker waits, and goes to the first that joins", async () => {
  const { pid, session } = await aProcess();
  await send(pid, 1);
  await evictSession(link, keys, session);
  await send(pid, 2);
  assert.equal((await send(pid, 3, { needsWorker: true }))[0], "no_workers");
  const heir = await joinWorker(pid.split("/")[0] as string);
  const claimed = await claim(pid, heir);
  assert.equal(claimed.messages.length, 2);
});

test("mail accepted between its owner's death and the eviction is not lost", async () => {
  const { pid, session } = await aProcess();
  const module = pid.split("/")[0] as string;
  await send(pid, 1);
  const heir = await joinWorker(module);
  const partition = keys.partitionOf(pid);
  // The session has left the live set; its busy set is not moved yet.
  await link.call("hdel", keys.live(partition), session);
  await send(pid, 2);
  assert.deepEqual(await leases.readBusy(partition, heir), [pid]);
  await evictSession(link, keys, session);
  assert.deepEqual(await leases.readBusy(partition, heir), [pid]);
  assert.equal((await claim(pid, heir)).messages.length, 2);
});

test("a message alone in hand when its node dies gains a death; its neighbours in a batch do not", async () => {
  const { pid, session, lease } = await aProcess();
  const module = pid.split("/")[0] as string;
  await send(pid, 1);
  await send(pid, 2);
  await claim(pid, session, lease.epoch);
  let owner = session;
  const deaths: number[] = [];
  for (let life = 0; life < 3; life++) {
    const heir = await joinWorker(module);
    await evictSession(link, keys, owner);
    owner = heir;
    deaths.push((await claim(pid, heir)).messages[0]?.deaths ?? -1);
  }
  assert.deepEqual(deaths, [0, 1, 2]);
});

test("where many processes died together, four deaths of a message make one", async () => {
  const { pid, session, lease } = await aProcess();
  const module = moduleOf(pid);
  await send(pid, 1);
  await claim(pid, session, lease.epoch);
  let owner = session;
  const deaths: number[] = [];
  for (let life = 0; life < 4; life++) {
    for (let other = 0; other < 5; other++) {
      await link.call("sadd", keys.busy(other % keys.partitions, owner), `${module}/bystander-${other}`);
    }
    const heir = await joinWorker(module);
    await evictSession(link, keys, owner);
    owner = heir;
    deaths.push((await claim(pid, heir)).messages[0]?.deaths ?? -1);
  }
  assert.deepEqual(deaths, [0, 0, 0, 1]);
});

test("a node that leaves, or is known not to have been ended by its messages, leaves them without a death", async () => {
  const { pid, session, lease } = await aProcess();
  const heir = await joinWorker(pid.split("/")[0] as string);
  await send(pid, 1);
  await claim(pid, session, lease.epoch);
  await evictSession(link, keys, session, { blameless: true });
  assert.equal((await claim(pid, heir)).messages[0]?.deaths, 0);
});

test("a blamed message carries its death and its stack to the next worker", async () => {
  const { pid, session, lease } = await aProcess();
  const heir = await joinWorker(pid.split("/")[0] as string);
  const [, id] = await send(pid, 1);
  await claim(pid, session, lease.epoch);
  const partition = keys.partitionOf(pid);
  const args = [keys.base(partition), pid, session, id, "Error: here"];
  assert.equal(await link.run("blame", [keys.process(partition, pid)], args), 1);
  await evictSession(link, keys, session, { blameless: true });
  const [message] = (await claim(pid, heir)).messages;
  assert.deepEqual([message?.deaths, message?.blame], [1, "Error: here"]);
  assert.equal(await link.run("blame", [keys.process(partition, pid)], args), 0, "the old lease may blame nobody");
});

test("hands a process over between turns, fenced, with its mail", async () => {
  const { pid, session, lease } = await aProcess();
  const heir = await joinWorker(pid.split("/")[0] as string);
  const [, id] = await send(pid, 1);
  assert.equal(await leases.handOver({ ...lease, revision: lease.revision + 1 }), "lost");
  assert.equal(await leases.handOver(lease), "done");
  assert.equal(await leases.handOver(lease), "lost");
  assert.equal(await leases.commit(lease, commitOf([])), undefined);
  assert.equal((await leases.claim(pid, session, lease.epoch, 10)).verdict, "moved");
  assert.deepEqual(
    (await claim(pid, heir)).messages.map((message) => message.id),
    [id],
  );
});

test("puts an idle process to sleep, never one with mail, and leaves little of it", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1);
  assert.equal(await leases.passivate(lease), "refused");
  await claim(pid, session, lease.epoch);
  const committed = await leases.commit(lease, commitOf([id], { stateText: "1" }));
  assert.ok(committed);
  lease.revision = committed.revision;
  assert.equal(await leases.passivate(lease), "done");
  assert.deepEqual(await link.call("keys", `*q:${pid}@*`), []);
  const [, next] = await send(pid, 2);
  const claimed = await claim(pid, session);
  assert.deepEqual([claimed.stateText, claimed.messages.map((message) => message.id)], ["1", [next]]);
});

test("tells a lease that is lost from one that is not to be given up now", async () => {
  const { pid, session, lease } = await aHeldProcess();
  assert.equal(await leases.handOver(lease), "refused", "nobody else runs the module");
  assert.equal(await leases.passivate({ ...lease, epoch: "999" }), "lost");
  await send(pid, 1);
  assert.equal(await leases.passivate(lease), "refused");
  const heir = await joinWorker(pid.split("/")[0] as string);
  await evictSession(link, keys, session);
  await claim(pid, heir);
  assert.deepEqual([await leases.passivate(lease), await leases.handOver(lease)], ["lost", "lost"]);
});

test("a stop detaches the mailbox: what is left is answered, and the next life knows nothing of it", async () => {
  const { pid, session, lease } = await aProcess();
  const sent = [];
  for (let index = 0; index < 500; index++) sent.push((await send(pid, index, { most: 1_000 }))[1]);
  const delayed = (await send(pid, "later", { delayMs: 60_000, most: 1_000 }))[1];
  const claimed = await claim(pid, session, lease.epoch, 5);
  const stopped = await leases.commit(lease, commitOf([claimed.messages[0]?.id ?? ""], { life: "wiped" }));
  assert.equal(stopped?.isSwept, false);
  assert.equal((await send(pid, 1))[0], "no_process");
  assert.equal((await start(pid))[0], "queued");
  await leases.sweep(lease.partition);
  for (const id of [...sent.slice(1), delayed]) assert.equal((await readOutcome(id))?.error?.code, "no_process");
  const next = await claim(pid, session);
  assert.deepEqual([next.messages.length, next.messages[0]?.kind, next.stateText], [1, "start", undefined]);
  assert.equal(await leases.commit(lease, commitOf([])), undefined, "no zombie commits into the new life");
  const counts = await link.call<Record<string, string>>("hgetall", keys.counts(lease.partition));
  assert.ok(Number(counts["queued"]) >= 0);
});

test("a stop with its state kept leaves it to the next start", async () => {
  const { pid, session, lease } = await aProcess();
  await send(pid, 1);
  const claimed = await claim(pid, session, lease.epoch);
  await leases.commit(
    lease,
    commitOf(
      claimed.messages.map(({ id }) => id),
      { life: "stopped", stateText: '"kept"' },
    ),
  );
  assert.equal((await send(pid, 1))[0], "no_process");
  assert.equal((await start(pid))[0], "queued");
  assert.equal((await claim(pid, session)).stateText, '"kept"');
});

test("a delayed message is rung when it is due, also for a process that sleeps", async (t) => {
  const { pid, session, lease } = await aProcess();
  const sentAt = Date.now();
  const [, id] = await send(pid, "later", { delayMs: 500 });
  assert.equal(await leases.passivate(lease), "done");
  const dueInMs = await leases.ring(lease.partition);
  const isOverdue = Date.now() >= sentAt + 500;
  assert.ok((dueInMs > 0 || isOverdue) && dueInMs <= 500, `due in ${dueInMs} ms`);
  const isRung = async () => {
    await leases.ring(lease.partition);
    assert.equal((await readRecord(pid))["b"], "1");
  };
  await t.waitFor(isRung, { timeout: 10_000 });
  assert.deepEqual(await leases.readBusy(lease.partition, session), [pid]);
  assert.deepEqual(
    (await claim(pid, session)).messages.map((message) => message.id),
    [id],
  );
  assert.equal((await readRecord(pid))["w"], "0");
});

test("takes back what is queued or delayed, not what is in hand, settled or unknown", async () => {
  const { pid, session, lease } = await aProcess();
  const cancel = (id: string) =>
    link.run<string>("cancel", [keys.outcome(lease.partition, id)], [keys.base(lease.partition), id]);
  const [, queued] = await send(pid, 1);
  const [, delayed] = await send(pid, 2, { delayMs: 60_000 });
  assert.deepEqual([await cancel(queued), await cancel(delayed)], ["dropped", "dropped"]);
  assert.equal((await readOutcome(queued))?.status, "dropped");
  const { n, z } = await readRecord(pid);
  assert.deepEqual([n, z], ["0", "0"]);
  const [, inHand] = await send(pid, 3);
  await claim(pid, session, lease.epoch);
  assert.deepEqual(
    [await cancel(inHand), await cancel(queued), await cancel(anId(pid))],
    ["running", "dropped", "unknown"],
  );
});

test("a message for an idle process that a live worker holds is in its hand at once, and a commit under its lease takes it", async () => {
  const { pid, session, lease } = await aHeldProcess();
  const [, first] = await send(pid, 1);
  const [, second] = await send(pid, 2);
  const committed = await leases.commit(lease, commitOf([first]));
  assert.deepEqual(
    committed?.messages.map(({ id }) => id),
    [second],
  );
  lease.revision = committed?.revision ?? 0;
  assert.equal((await leases.commit(lease, commitOf([second])))?.hasMail, false);
  assert.deepEqual(await leases.readBusy(lease.partition, session), []);
});

test("a message in hand whose publication was lost is found by the next claim, and the state in memory still counts", async () => {
  const { pid, session, lease } = await aHeldProcess();
  const [, id] = await send(pid, 1);
  assert.deepEqual(await leases.readBusy(lease.partition, session), [pid]);
  const claimed = await claim(pid, session, lease.epoch);
  assert.deepEqual(
    [claimed.messages.map((message) => message.id), claimed.stateText, claimed.epoch],
    [[id], undefined, lease.epoch],
  );
  assert.ok(await leases.commit(lease, commitOf([id])));
  assert.equal(await leases.commit(lease, commitOf([id])), undefined);
});

test("a delayed message that a claim finds due marks its process as busy, so that it survives its worker", async () => {
  const { pid, session, lease } = await aProcess();
  const heir = await joinWorker(moduleOf(pid));
  const [, id] = await send(pid, "later", { delayMs: 20 });
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.deepEqual(
    (await claim(pid, session, lease.epoch)).messages.map((message) => message.id),
    [id],
  );
  await evictSession(link, keys, session);
  assert.deepEqual(await leases.readBusy(lease.partition, heir), [pid]);
  assert.deepEqual(
    (await claim(pid, heir)).messages.map((message) => message.id),
    [id],
  );
});

test("what an ended session held without mail goes to sleep, and its mailbox's books go", async () => {
  const { pid, session } = await aHeldProcess();
  await evictSession(link, keys, session);
  assert.deepEqual(await link.call("keys", `*q:${pid}@*`), []);
  assert.equal((await readRecord(pid))["o"], "");
});

test("a delayed message that is taken back from a sleeping process leaves nothing", async () => {
  const { pid, lease } = await aProcess();
  const [, id] = await send(pid, "never", { delayMs: 60_000 });
  assert.equal(await leases.passivate(lease), "done");
  const cancelled = await link.run<string>(
    "cancel",
    [keys.outcome(lease.partition, id)],
    [keys.base(lease.partition), id],
  );
  const again = await link.run<string>("cancel", [keys.outcome(lease.partition, id)], [keys.base(lease.partition), id]);
  assert.deepEqual([cancelled, again], ["dropped", "dropped"]);
  assert.deepEqual(await link.call("keys", `*q:${pid}@*`), []);
  assert.equal(await link.call("zscore", keys.due(lease.partition), pid), null);
});

test("a continuation that ended its node counts its deaths, and no message does", async () => {
  const { pid, session, lease } = await aProcess();
  const committed = await leases.commit(lease, commitOf([], { width: 0, continueText: '"go on"' }));
  assert.ok(committed);
  let owner = session;
  for (let death = 1; death <= 3; death++) {
    await send(pid, death);
    await claim(pid, owner);
    const heir = await joinWorker(moduleOf(pid));
    await evictSession(link, keys, owner);
    const claimed = await claim(pid, heir);
    assert.deepEqual([claimed.continueText, claimed.continueDeaths, claimed.messages], ['"go on"', death, []]);
    owner = heir;
  }
});

test("a keyed message whose dead letter is still kept is sent anew in its place", async () => {
  const { pid, session, lease } = await aProcess();
  const [, id] = await send(pid, 1, { hash: "h" });
  await claim(pid, session, lease.epoch);
  const dead = {
    ...commitOf([id]),
    settlements: commitOf([id]).settlements.map((one) => ({ ...one, verdict: "dead" as const, stack: [] })),
  };
  const committed = await leases.commit(lease, dead);
  assert.ok(committed);
  lease.revision = committed.revision;
  await link.call("del", keys.outcome(lease.partition, id));
  assert.equal((await send(pid, 1, { id, hash: "h" }))[0], "queued");
  assert.deepEqual(
    (await claim(pid, session)).messages.map((message) => message.id),
    [id],
  );
});

test("a job that another tool has spoilt is handed out, settled, and spoils nothing else", async () => {
  const { pid, session, lease } = await aProcess();
  const [, spoilt] = await send(pid, 1);
  const [, sound] = await send(pid, 2);
  const { i } = await readRecord(pid);
  await link.call("hset", keys.queue(lease.partition, `${pid}@${i}`, spoilt), "data", '{"hello":1}');
  const claimed = await claim(pid, session, lease.epoch);
  assert.deepEqual(
    claimed.messages.map(({ id, envelope }) => [id, envelope.slice(0, 9)]),
    [
      [spoilt, '{"hello":'],
      [sound, '{"f":"","'],
    ],
  );
  const request = commitOf([spoilt, sound]);
  const odd = request.settlements.map((one, index) => (index === 0 ? { ...one, keepMs: Number.NaN } : one));
  assert.ok(await leases.commit(lease, { ...request, settlements: odd }));
  assert.equal((await readOutcome(sound))?.status, "done");
});

test("BullMQ's own Queue shows a mailbox as ordinary jobs", async () => {
  const { pid, session, lease } = await aProcess();
  const [, active] = await send(pid, { n: 1 });
  await claim(pid, session, lease.epoch, 1);
  const [, failing] = await send(pid, { n: 2 });
  const fetched = await leases.commit(lease, commitOf([], { width: 1 }));
  assert.ok(fetched);
  lease.revision = fetched.revision;
  const [, waiting] = await send(pid, { n: 3 });
  const [, delayed] = await send(pid, { n: 4 }, { delayMs: 60_000 });
  const { i } = await readRecord(pid);
  const queue = new Queue(`${pid}@${i}`, {
    connection: { url: server.url },
    prefix: keys.queuePrefix(lease.partition),
  });
  try {
    assert.deepEqual(await queue.getJobCounts("waiting", "active", "delayed", "failed"), {
      waiting: 1,
      active: 2,
      delayed: 1,
      failed: 0,
    });
    const job = await queue.getJob(waiting);
    assert.ok(job);
    assert.deepEqual([job.name, (job.data as { m: unknown }).m], ["cast", { n: 3 }]);
    assert.deepEqual(
      (await queue.getDelayed()).map(({ id }) => id),
      [delayed],
    );
    const dead = { verdict: "dead" as const, outcome: '{"status":"failed"}', replyTo: "", hash: "", keepMs: 60_000 };
    const settlements = [active, failing].map((id) => ({
      id,
      ...dead,
      reason: "it broke",
      stack: ["Error: it broke"],
    }));
    assert.ok(await leases.commit(lease, { ...commitOf([]), width: 0, settlements }));
    const failed = await queue.getFailed();
    assert.deepEqual(failed.map(({ id }) => id).sort(), [active, failing].sort());
    assert.deepEqual(
      [failed[0]?.failedReason, failed[0]?.stacktrace, failed[0]?.attemptsMade],
      ["it broke", ["Error: it broke"], 1],
    );
    await queue.retryJobs({ state: "failed" }).catch(() => {});
  } finally {
    await queue.close();
  }
});
