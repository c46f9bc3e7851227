import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { until } from "../../../test/tools/until.ts";
import { newMessageId } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { ClusterError } from "../service/errors.ts";
import { Control } from "./control.ts";
import { seal } from "./envelope.ts";
import { evictSession } from "./eviction.ts";
import type { Fetched } from "./leases.ts";
import { Outboxes } from "./outbox.ts";
import { ScriptBench } from "./scripts.test-support.ts";

/** An operator's scripts, step by step: between which steps of a worker they come, and what each leaves. */

const bench = new ScriptBench();
const { keys } = bench;
let control: Control;
const rules = new Map<string, { keepState: "never" | "after-crash" }>();

before(async () => {
  await bench.start();
  const { link, events } = bench;
  control = new Control({
    link,
    keys,
    outboxes: new Outboxes({ link, keys, events }),
    knowsModule: () => true,
    isStorageFull: () => false,
    rulesOf: (module) => rules.get(module),
  });
});

after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

const idsOf = (messages: readonly Fetched[]) => messages.map(({ id }) => id);
const refused = (code: string) => (error: unknown) => error instanceof ClusterError && error.code === code;

test("a paused process keeps its mail, and gets it in order when it is resumed", async () => {
  const held = await bench.startProcess();
  const { pid, session } = held;
  assert.equal(await control.pause(pid), "paused");
  const sent = [await bench.send(pid, 1), await bench.send(pid, 2)];
  await bench.putDown(held);
  assert.equal(await bench.isBusy(held), false);
  assert.equal((await bench.readRecord(pid))["o"], "");
  assert.equal(await control.resume(pid), "running");
  assert.equal(await bench.isBusy(held), true);
  assert.deepEqual(idsOf((await bench.claim(pid, session)).messages), sent);
});

test("a turn under way is committed, and what was fetched behind it waits for the resume", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const first = await bench.send(pid, 1);
  const others = [await bench.send(pid, 2), await bench.send(pid, 3)];
  const fetched = await bench.commit(lease, [first]);
  assert.deepEqual(idsOf(fetched?.messages ?? []), others);
  await control.pause(pid);
  const committed = await bench.commit(lease, others.slice(0, 1), { stateText: "1" });
  assert.deepEqual([committed?.heldBack, committed?.messages], ["paused", []]);
  assert.equal((await bench.readRecord(pid))["d"], "1");
  await control.resume(pid);
  assert.deepEqual(idsOf((await bench.claim(pid, session)).messages), others.slice(1));
});

test("a resume before the turn has ended lets it go on as if nothing had been", async () => {
  const { pid, lease } = await bench.startProcess();
  const first = await bench.send(pid, 1);
  await control.pause(pid);
  const second = await bench.send(pid, 2);
  await control.resume(pid);
  const committed = await bench.commit(lease, [first]);
  assert.deepEqual(idsOf(committed?.messages ?? []), [second]);
});

test("pause and resume, said twice, change nothing, and the totals stay right", async () => {
  const held = await bench.startProcess();
  const { pid } = held;
  const before = await bench.count(pid, "paused");
  assert.deepEqual([await control.pause(pid), await control.pause(pid)], ["paused", "paused"]);
  assert.equal(await bench.count(pid, "paused"), before + 1);
  await bench.putDown(held);
  assert.deepEqual([await control.resume(pid), await control.resume(pid)], ["idle", "idle"]);
  assert.equal(await bench.count(pid, "paused"), before);
  assert.equal(await control.unquarantine(pid), "idle");
});

test("a message is never put into the hand of a worker that holds a paused process", async () => {
  const { pid, session, lease } = await bench.startProcess();
  await control.pause(pid);
  await bench.send(pid, 1);
  const { i } = await bench.readRecord(pid);
  assert.equal(await bench.link.call("exists", keys.queue(lease.partition, `${pid}@${i}`, "active")), 0);
  assert.equal((await bench.tryToClaim(pid, session, lease.epoch)).verdict, "held");
});

test("a worker that dies of a message that was in hand when its process was paused has that death counted", async () => {
  const { pid, session } = await bench.startProcess();
  const id = await bench.send(pid, 1);
  await control.pause(pid);
  const heir = await bench.joinWorker(pid.split("/")[0] as string);
  await evictSession(bench.link, keys, session);
  assert.equal((await bench.tryToClaim(pid, heir)).verdict, "held");
  assert.equal(await bench.isBusy({ pid, session: heir }), false);
  await control.resume(pid);
  const [message] = (await bench.claim(pid, heir)).messages;
  assert.deepEqual([message?.id, message?.deaths], [id, 1]);
});

test("a pause whose publication is lost is found on the next beat, by the busy set", async () => {
  const held = await bench.startProcess();
  await control.pause(held.pid);
  assert.equal(await bench.isBusy(held), true);
  await bench.putDown(held);
  assert.equal(await bench.isBusy(held), false);
});

test("a paused process that slept is resumed by a live worker, or waits for one", async () => {
  const { pid, session, lease } = await bench.startProcess();
  assert.equal(await bench.leases.passivate(lease), "done");
  await control.pause(pid);
  const id = await bench.send(pid, 1);
  await evictSession(bench.link, keys, session);
  await control.resume(pid);
  const heir = await bench.joinWorker(pid.split("/")[0] as string);
  assert.deepEqual(idsOf((await bench.claim(pid, heir)).messages), [id]);
});

test("a delayed message that fell due during a pause is handled after it", async () => {
  const held = await bench.startProcess();
  const { pid, session, lease } = held;
  const id = await bench.send(pid, "later", { delayMs: 20 });
  await control.pause(pid);
  await bench.putDown(held);
  await until(async () => (await bench.leases.ring(lease.partition)) === -1, { withinMs: 2_000, everyMs: 5 });
  assert.equal(await bench.isBusy(held), false);
  await control.resume(pid);
  await until(async () => (await bench.leases.ring(lease.partition)) === -1, { withinMs: 2_000, everyMs: 5 });
  assert.deepEqual(idsOf((await bench.claim(pid, session)).messages), [id]);
});

test("a pause takes the place of the wait for a next try, and the resume tries at once", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const id = await bench.send(pid, 1);
  await bench.commit(lease, [], { width: 0, acts: [["retry", id, 60_000]] });
  assert.equal(await control.pause(pid), "paused");
  await bench.tryToClaim(pid, session, lease.epoch);
  await control.resume(pid);
  const [message] = (await bench.claim(pid, session)).messages;
  assert.deepEqual([message?.id, message?.tries], [id, 1]);
});

test("nothing is paused that is not there, stopped, or has not started", async () => {
  const { pid, lease } = await bench.startProcess();
  await assert.rejects(control.pause(`${pid}x`), refused("no_process"));
  await bench.begin(`${pid}y` as Pid);
  await assert.rejects(control.pause(`${pid}y`), refused("not_started"));
  await bench.commit(lease, [], { life: "stopped" });
  await assert.rejects(control.pause(pid), refused("no_process"));
  await assert.rejects(control.resume(pid), refused("no_process"));
});

test("what is quarantined stays so through pause and resume, and goes on when a person lets it", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const before = await bench.count(pid, "quarantined");
  const [bad, next] = [await bench.send(pid, 1), await bench.send(pid, 2)];
  const committed = await bench.commit(lease, [bad], { acts: [["quarantine", "too many crashes"]] }, "dead");
  assert.equal(committed?.heldBack, "quarantined");
  assert.deepEqual([await control.pause(pid), await control.resume(pid)], ["quarantined", "quarantined"]);
  assert.equal(await bench.count(pid, "quarantined"), before + 1);
  assert.equal(await control.unquarantine(pid), "running");
  assert.equal(await bench.count(pid, "quarantined"), before);
  assert.equal((await bench.readRecord(pid))["f"], undefined);
  assert.deepEqual(idsOf((await bench.claim(pid, session)).messages), [next]);
});

test("a killed process keeps its state, its mail is answered, and the turn under way counts no more", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const sent = [await bench.send(pid, 1), await bench.send(pid, 2), await bench.send(pid, 3, { delayMs: 60_000 })];
  assert.deepEqual(await control.kill(pid, "killed"), { reason: "killed", stateKept: true });
  assert.equal(await bench.commit(lease, [sent[0] ?? ""], { stateText: '"late"' }), undefined);
  for (const id of sent) assert.equal((await bench.readOutcome(id))?.error?.code, "no_process");
  const { s, d, o } = await bench.readRecord(pid);
  assert.deepEqual([s, d, o], ["stopped", "0", ""]);
  assert.equal(await bench.isBusy({ pid, session }), false);
  assert.equal((await bench.begin(pid))[0], "queued");
  assert.equal(await bench.commit(lease, [], { stateText: '"late"' }), undefined, "nor into the next life");
  assert.equal((await bench.claim(pid, session)).stateText, "0");
});

test("a killed process of a module that never keeps its state is wiped, and so is one that never started", async () => {
  const { pid, session } = await bench.startProcess();
  const before = await bench.count(pid, "paused");
  rules.set(pid.split("/")[0] as string, { keepState: "never" });
  await control.pause(pid);
  assert.deepEqual(await control.kill(pid, "enough"), { reason: "enough", stateKept: false });
  assert.deepEqual(await bench.readRecord(pid), {});
  assert.equal(await bench.count(pid, "paused"), before);
  const starting: Pid = `${pid}-starting`;
  await bench.begin(starting);
  rules.clear();
  assert.equal((await control.kill(starting, "killed")).stateKept, false);
  assert.equal((await bench.tryToClaim(starting, session)).verdict, "gone");
  await assert.rejects(control.kill(starting, "killed"), refused("no_process"));
});

test("those who watch a killed process are told, and its owner is told to drop it", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const watcher = await bench.startProcess();
  const watch = keys.watch(lease.partition, pid);
  await bench.link.call("hset", watch, "ref-1", `${watcher.lease.partition} ${watcher.pid}`);
  const heard: string[] = [];
  const ear = bench.server.connect();
  await ear.subscribe(keys.wakeChannel(session));
  ear.on("message", (_channel, text) => heard.push(text));
  await control.kill(pid, "killed");
  await until(() => heard.includes(`drop ${pid}`), { withinMs: 2_000 });
  const isTold = async () => (await bench.isBusy(watcher)) && (await bench.readRecord(watcher.pid))["n"] === "1";
  await until(isTold, { withinMs: 2_000, what: "the watcher has its DOWN" });
  const [down] = (await bench.claim(watcher.pid, watcher.session)).messages;
  assert.equal(down?.kind, "down");
  assert.match(down?.envelope ?? "", /"reason":"killed"/);
  assert.equal(await bench.link.call("exists", watch), 0);
});

test("a kill under one Idempotency-Key ends one life, and another body is refused", async () => {
  const { pid } = await bench.startProcess();
  const key = { idempotencyKey: "once" };
  assert.deepEqual(await control.kill(pid, "killed", key), { reason: "killed", stateKept: true });
  await bench.begin(pid);
  assert.deepEqual(await control.kill(pid, "killed", key), { reason: "killed", stateKept: true });
  assert.equal((await bench.readRecord(pid))["s"], "starting");
  await assert.rejects(control.kill(pid, "other", key), refused("idempotency_conflict"));
});

test("skips the head of a paused process, tells who waits for it, and skips no second one for one key", async () => {
  const held = await bench.startProcess();
  const { pid, session } = held;
  const [first, second, third] = [await bench.send(pid, 1), await bench.send(pid, 2), await bench.send(pid, 3)];
  await assert.rejects(control.skip(pid, undefined), refused("not_paused"));
  await control.pause(pid);
  await assert.rejects(control.skip(pid, undefined), refused("not_paused"), "a turn is under way");
  await bench.putDown(held);
  const key = { idempotencyKey: "k" };
  const skipped = { messageId: first, kind: "cast" };
  assert.deepEqual(await control.skip(pid, undefined, key), skipped);
  assert.deepEqual(await control.skip(pid, undefined, key), skipped);
  assert.equal((await bench.readOutcome(first))?.error?.code, "skipped");
  await assert.rejects(control.skip(pid, third), refused("unknown_message"));
  assert.deepEqual(await control.skip(pid, second), { messageId: second, kind: "cast" });
  await control.resume(pid);
  assert.deepEqual(idsOf((await bench.claim(pid, session)).messages), [third]);
  assert.equal((await bench.readRecord(pid))["n"], "1");
});

test("what a dead worker had in hand is at the head of a paused process, and blames no neighbour when it is skipped", async () => {
  const { pid, session, lease } = await bench.startProcess();
  const zeroth = await bench.send(pid, 0);
  const sent = [await bench.send(pid, 1), await bench.send(pid, 2)];
  await bench.commit(lease, [zeroth]);
  await control.pause(pid);
  const heir = await bench.joinWorker(pid.split("/")[0] as string);
  await evictSession(bench.link, keys, session);
  await bench.tryToClaim(pid, heir);
  assert.equal((await control.skip(pid, undefined)).messageId, sent[0]);
  await control.resume(pid);
  const { messages } = await bench.claim(pid, heir);
  assert.deepEqual([idsOf(messages), messages[0]?.deaths], [sent.slice(1), 0]);
});

test("the continuation that a process is owed is skipped before any message, and an empty mailbox says so", async () => {
  const { pid, lease } = await bench.startProcess();
  const quarantine = [["quarantine", "it crashed"]] as [["quarantine", string]];
  await bench.commit(lease, [], { width: 0, continueText: '"go on"', acts: quarantine });
  assert.deepEqual(await control.skip(pid, undefined), { kind: "continue" });
  await assert.rejects(control.skip(pid, undefined), refused("unknown_message"));
  assert.equal(await control.unquarantine(pid), "idle");
});

test("a timer's tick that is skipped takes its timer with it", async () => {
  const held = await bench.startProcess();
  const { pid, lease } = held;
  const id = `${lease.partition}-00000000-0000-4000-8000-000000000001`;
  const envelope = `{"f":"","h":"","k":60000,"t":"tick \\"a\\"","m":1}`;
  await bench.commit(lease, [], {
    acts: [
      ["arm", id, Date.now() - 1, envelope],
      ["tie", 't:tick "a"', JSON.stringify({ id, dueAt: 1 })],
    ],
    width: 0,
  });
  await control.pause(pid);
  await bench.putDown(held);
  assert.deepEqual(await control.skip(pid, undefined), { messageId: id, kind: "info", timer: 'tick "a"' });
  const { i } = await bench.readRecord(pid);
  assert.equal(await bench.link.call("exists", keys.own(lease.partition, `${pid}@${i}`)), 0);
});

test("an earlier tick that is skipped leaves the timer that was set anew, and says nothing of it", async () => {
  const held = await bench.startProcess();
  const { pid, lease } = held;
  const [earlier, later] = [newMessageId(lease.partition), newMessageId(lease.partition)];
  const envelope = seal('"tick"', { timer: "x" });
  const tie = JSON.stringify({ id: later, dueAt: Date.now() + 60_000, messageText: `"id":"${earlier}"` });
  await bench.commit(lease, [], {
    acts: [
      ["arm", earlier, Date.now() - 1, envelope],
      ["arm", later, Date.now() + 60_000, envelope],
      ["tie", "t:x", tie],
    ],
    width: 0,
  });
  await control.pause(pid);
  await bench.putDown(held);
  assert.deepEqual(await control.skip(pid, undefined), { messageId: earlier, kind: "info" });
  const { i } = await bench.readRecord(pid);
  assert.equal(await bench.link.call("hget", keys.own(lease.partition, `${pid}@${i}`), "t:x"), tie);
});

test("a tick that is skipped takes its timer with it, also where no script can read its message", async () => {
  const held = await bench.startProcess();
  const { pid, lease } = held;
  const id = newMessageId(lease.partition);
  await bench.commit(lease, [], {
    acts: [
      ["arm", id, Date.now() - 1, seal('"\\ud83d"', { timer: "x" })],
      ["tie", "t:x", JSON.stringify({ id, dueAt: 1 })],
    ],
    width: 0,
  });
  await control.pause(pid);
  await bench.putDown(held);
  assert.deepEqual(await control.skip(pid, undefined), { messageId: id, kind: "info", timer: "x" });
  const { i } = await bench.readRecord(pid);
  assert.equal(await bench.link.call("exists", keys.own(lease.partition, `${pid}@${i}`)), 0);
});
