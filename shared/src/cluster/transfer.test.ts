import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import type { Pid } from "../process/pid.ts";
import { ClusterError } from "../service/errors.ts";
import { Outboxes } from "./outbox.ts";
import { ScriptBench } from "./scripts.test-support.ts";
import { type ProcessDocument, Transfer } from "./transfer.ts";

/** Processes that leave as a document and come back, step by step. */

const bench = new ScriptBench();
const { keys } = bench;
let transfer: Transfer;
let isFull = false;

before(async () => {
  await bench.start();
  const { link, events } = bench;
  const outboxes = new Outboxes({ link, keys, events });
  transfer = new Transfer({ link, keys, outboxes, knowsModule: () => true, isStorageFull: () => isFull });
});

after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

const refused = (code: string) => (error: unknown) => error instanceof ClusterError && error.code === code;

const documentOf = (rest: Partial<ProcessDocument> = {}): ProcessDocument => ({
  format: 1,
  pid: "m/p",
  status: "idle",
  moduleVersion: 3,
  revision: 7,
  turns: 9,
  state: { n: 1 },
  options: {},
  timers: {},
  ties: {},
  mailbox: [],
  ...rest,
});

test("a document holds state, options, timers, ties and all mail, that in hand included", async () => {
  const { pid, lease } = await bench.startProcess({ tags: ["a"] });
  const tick = `${lease.partition}-00000000-0000-4000-8000-000000000001`;
  const dueAt = Date.now() + 60_000;
  await bench.commit(lease, [], {
    width: 0,
    stateText: '{"n":2}',
    acts: [
      ["arm", tick, dueAt, '{"f":"","h":"","k":60000,"t":"beat","m":"tick"}'],
      ["tie", "t:beat", JSON.stringify({ id: tick, dueAt, everyMs: 60_000, messageText: '"tick"' })],
      ["tie", "m:ref", "a/b"],
    ],
  });
  const inHand = await bench.send(pid, 1);
  await bench.claim(pid, lease.session);
  const waits = await bench.send(pid, { two: 2 });
  const document = await transfer.exportProcess(pid);
  const { mailbox, timers, ...rest } = document;
  assert.deepEqual(rest, {
    format: 1,
    pid,
    status: "running",
    moduleVersion: 1,
    revision: 2,
    turns: 1,
    state: { n: 2 },
    options: { tags: ["a"] },
    ties: { "m:ref": "a/b" },
  });
  assert.deepEqual(timers, { beat: { id: tick, dueAt, everyMs: 60_000, messageText: '"tick"' } });
  assert.deepEqual(
    mailbox.map(({ queuedAt: _, ...message }) => message),
    [
      { messageId: inHand, kind: "cast", message: 1 },
      { messageId: waits, kind: "cast", message: { two: 2 } },
      { messageId: tick, kind: "info", message: "tick", dueAt: mailbox[2]?.dueAt, timer: "beat" },
    ],
  );
  assert.ok(Math.abs(Number(mailbox[2]?.dueAt) - dueAt) <= 50);
});

test("nothing is exported that is not there or has no state yet; a stopped process is, without mail", async () => {
  const { pid, lease } = await bench.startProcess();
  await assert.rejects(transfer.exportProcess(`${pid}x`), refused("no_process"));
  await bench.begin(`${pid}y` as Pid);
  await assert.rejects(transfer.exportProcess(`${pid}y`), refused("not_started"));
  await bench.commit(lease, [], { life: "stopped" });
  const { status, mailbox } = await transfer.exportProcess(pid);
  assert.deepEqual([status, mailbox], ["stopped", []]);
});

test("a mailbox above the bounds is not exported", async () => {
  const { pid, lease } = await bench.startProcess();
  await bench.link.call("hset", keys.process(lease.partition, pid), "n", 10_001);
  await assert.rejects(transfer.exportProcess(pid), refused("too_large_to_export"));
});

test("an imported process has its state, its mail in order under new ids, and timers that follow theirs", async () => {
  const { pid: other, session } = await bench.startProcess();
  const pid: Pid = `${other}-copy`;
  const old = "3-00000000-0000-4000-8000-00000000000";
  const soon = Date.now() - 5_000;
  const document = documentOf({
    options: { tags: ["t"] },
    timers: { beat: { id: `${old}3`, dueAt: soon, everyMs: 1_000 }, orphan: { id: `${old}9`, dueAt: soon } },
    ties: { "m:ref": "a/b" },
    mailbox: [
      { messageId: `${old}1`, kind: "cast", message: 1, queuedAt: 1 },
      { messageId: `${old}2`, kind: "call", message: 2, queuedAt: 1 },
      { messageId: `${old}3`, kind: "info", message: "tick", queuedAt: 1, dueAt: soon, timer: "beat" },
    ],
  });
  const [alive, queued] = [await bench.count(pid, "alive"), await bench.count(pid, "queued")];
  assert.equal(await transfer.importProcess({ pid, document, replaces: false }), "running");
  assert.deepEqual([await bench.count(pid, "alive"), await bench.count(pid, "queued")], [alive + 1, queued + 3]);
  assert.ok(await bench.isBusy({ pid, session }));
  const claimed = await bench.claim(pid, session);
  assert.deepEqual([claimed.stateText, claimed.version, claimed.revision, claimed.turns], ['{"n":1}', 3, 7, 9]);
  assert.equal(claimed.optionsText, '{"tags":["t"]}');
  const contents = claimed.messages.map(({ kind, envelope }) => [kind, (JSON.parse(envelope) as { m: unknown }).m]);
  assert.deepEqual(contents, [
    ["cast", 1],
    ["call", 2],
    ["info", "tick"],
  ]);
  const [[field, text = ""] = [], ...others] = claimed.ties;
  assert.deepEqual([field, others], ["t:beat", []]);
  assert.equal((JSON.parse(text) as { id: string }).id, claimed.messages[2]?.id);
  assert.ok(claimed.messages.every(({ id }) => id.startsWith(`${keys.partitionOf(pid)}-`)));
});

test("an imported process is linked to nobody, also by a link that was not handled yet", async () => {
  const { pid: other } = await bench.startProcess();
  const pid: Pid = `${other}-copy`;
  const messageId = "3-00000000-0000-4000-8000-000000000001";
  const link = { messageId, kind: "link", message: { pid: other, ref: "r" }, queuedAt: 1 };
  const document = documentOf({ ties: { "l:a/b": "r0" }, mailbox: [link] });
  assert.equal(await transfer.importProcess({ pid, document, replaces: false }), "idle");
  const { n, h, i } = await bench.readRecord(pid);
  assert.deepEqual([n, h], ["0", undefined]);
  const partition = keys.partitionOf(pid);
  assert.equal(await bench.link.call("exists", keys.own(partition, `${pid}@${i}`), keys.watch(partition, pid)), 0);
});

test("a process is imported where there is none, or in the place of the one that is there", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const waiting = await bench.send(pid, 1);
  const request = { pid, document: documentOf(), replaces: false };
  await assert.rejects(transfer.importProcess(request), refused("already_started"));
  const alive = await bench.count(pid, "alive");
  assert.equal(await transfer.importProcess({ ...request, replaces: true }), "idle");
  assert.equal(await bench.count(pid, "alive"), alive);
  assert.equal((await bench.readOutcome(waiting))?.error?.code, "no_process");
  assert.equal(await bench.commit(lease, [waiting]), undefined, "the life before it is over");
  assert.equal((await bench.claim(pid, session)).stateText, '{"n":1}');

  const stopped = await bench.startProcess();
  await bench.commit(stopped.lease, [], { life: "stopped" });
  const again = { ...request, pid: stopped.pid };
  await assert.rejects(transfer.importProcess(again), refused("already_started"));
  assert.equal(await transfer.importProcess({ ...again, replaces: true }), "idle");
  assert.equal((await bench.readRecord(stopped.pid))["s"], "alive");
});

test("what was held back comes back held back, and what handleContinue was owed is owed", async () => {
  const { pid, session } = await bench.startProcess();
  const document = documentOf({ status: "quarantined", reason: "it crashed", continue: { value: [1] } });
  assert.equal(await transfer.importProcess({ pid, document, replaces: true }), "quarantined");
  const { p, f, q } = await bench.readRecord(pid);
  assert.deepEqual([p, f, q, await bench.isBusy({ pid, session })], ["quarantined", "it crashed", "[1]", false]);
});

test("an import under one Idempotency-Key makes one incarnation", async () => {
  const { pid } = await bench.startProcess();
  const request = { pid, document: documentOf(), replaces: true, idempotencyKey: "k" };
  await transfer.importProcess(request);
  const { i } = await bench.readRecord(pid);
  await transfer.importProcess(request);
  assert.equal((await bench.readRecord(pid))["i"], i);
  const other = { ...request, document: documentOf({ state: 2 }) };
  await assert.rejects(transfer.importProcess(other), refused("idempotency_conflict"));
});

test("a Redis that is nearly full takes no import", async () => {
  isFull = true;
  await assert.rejects(
    transfer.importProcess({ pid: "m/p", document: documentOf(), replaces: false }),
    refused("storage_full"),
  );
  isFull = false;
});
