import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit } from "../../../test/tools/audit.ts";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import type { Pid } from "../process/pid.ts";
import { Control } from "./control.ts";
import { seal } from "./envelope.ts";
import type { Act } from "./leases.ts";
import { OutboxBench } from "./outbox.test-support.ts";
import type { Held } from "./scripts.test-support.ts";

/** Which references of a link either side has, and which an end is told with, script by script. */

const bench = new OutboxBench();
const { keys, sendTo, commitAll, deliver, mailOf, outboxOf } = bench;
let redis: ReturnType<typeof bench.server.connect>;
let control: Control;

before(async () => {
  await bench.start();
  redis = bench.server.connect();
  const { link, outboxes } = bench;
  const senders = { knowsModule: () => true, isStorageFull: () => false, rulesOf: () => undefined };
  control = new Control({ link, keys, outboxes, ...senders });
});

afterEach(async () => {
  await bench.untilDelivered();
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

/** What a turn's `ctx.link` comes to, apart from the tie. */
function link({ pid }: Held, to: Pid, ref: string): Act[] {
  return [["watch", keys.partitionOf(to), to, ref], sendTo("link", to, { pid, ref })];
}

function unlink({ pid }: Held, to: Pid, refs: string[]): Act[] {
  return [["unwatch", to, refs.join(" ")], sendTo("unlink", to, { pid, refs })];
}

/** The references with which one process's end is told to another. */
async function toldRefs({ pid }: Pick<Held, "pid">, to: Held): Promise<string[]> {
  const watch = keys.watch(keys.partitionOf(pid), pid);
  const text = await bench.link.call<string | null>("hget", watch, `l:${to.pid}`);
  if (text === null) return [];
  const [partition, other, ...refs] = text.split(" ");
  assert.deepEqual([partition, other], [String(to.lease.partition), to.pid]);
  return refs;
}

async function end(held: Held, reason: string): Promise<string> {
  const name = await outboxOf(held);
  assert.ok(await bench.commit(held.lease, [], { life: "wiped", reason }));
  return name;
}

/** The next life of a pid whose last has ended. */
async function beginAgain({ pid, session }: Held): Promise<Held> {
  assert.equal((await bench.begin(pid))[0], "queued");
  const claimed = await bench.claim(pid, session);
  const held = { pid, session, lease: bench.leaseOf(pid, session, claimed) };
  const ids = claimed.messages.map(({ id }) => id);
  await bench.commit(held.lease, ids, { life: "alive", stateText: "0", bytes: Buffer.byteLength(seal("null")) });
  return held;
}

async function exitsOf({ pid }: Held): Promise<unknown[]> {
  return (await mailOf(pid)).filter(({ kind }) => kind === "exit").map(({ message }) => message);
}

test("a link is noted with the linker by its commit, and with the other when it arrives, handled or not", async () => {
  const [one, other] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(one, ...link(one, other.pid, "r1"));
  assert.deepEqual([await toldRefs(one, other), await toldRefs(other, one)], [["r1"], []]);
  await deliver(one);
  assert.deepEqual([await toldRefs(one, other), await toldRefs(other, one)], [["r1"], ["r1"]]);
  await end(other, "gone");
  await bench.untilDelivered();
  assert.deepEqual(await exitsOf(one), [{ pid: other.pid, reason: "gone", refs: ["r1"] }]);
});

test("two that link each other at once both have both references, and one end tells both", async () => {
  const [one, other] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(one, ...link(one, other.pid, "r1"));
  await commitAll(other, ...link(other, one.pid, "r2"));
  await deliver(one);
  await deliver(other);
  assert.deepEqual(await toldRefs(one, other), ["r1", "r2"]);
  assert.deepEqual(await toldRefs(other, one), ["r2", "r1"]);
  await end(one, "gone");
  await bench.untilDelivered();
  assert.deepEqual(await exitsOf(other), [{ pid: one.pid, reason: "gone", refs: ["r1", "r2"] }]);
});

test("an unlink takes its references only: the other's link that was on its way stays", async () => {
  const [one, other] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(other, ...link(other, one.pid, "r2"));
  await commitAll(one, ...link(one, other.pid, "r1"), ...unlink(one, other.pid, ["r1"]));
  assert.deepEqual(await toldRefs(one, other), []);
  await deliver(one);
  await deliver(other);
  assert.deepEqual(await toldRefs(one, other), ["r2"]);
  // The other handles the unlink: its turn takes back what that names.
  await commitAll(other, ["unwatch", one.pid, "r1"]);
  assert.deepEqual(await toldRefs(other, one), ["r2"]);
  await commitAll(other, ["unwatch", one.pid, "r2 r3"], ["unwatch", one.pid, "r2"]);
  assert.deepEqual(await toldRefs(other, one), []);
});

test("a late exit of an earlier life names none of the references that a later link has", async () => {
  const [one, other] = [await bench.startProcess(), await bench.startProcess()];
  await commitAll(one, ...link(one, other.pid, "r1"));
  await deliver(one);
  // Its node dies before it has told anybody; a new life begins, and is linked anew meanwhile.
  const left = await end(other, "first");
  const again = await beginAgain(other);
  await commitAll(one, ...unlink(one, other.pid, ["r1"]), ...link(one, other.pid, "r2"));
  await deliverFrom(one);
  assert.deepEqual([await toldRefs(one, again), await toldRefs(again, one)], [["r2"], ["r2"]]);
  assert.deepEqual(await exitsOf(one), []);
  await bench.outboxes.empty(other.lease.partition, left);
  assert.deepEqual(await exitsOf(one), [{ pid: other.pid, reason: "first", refs: ["r1"] }]);
  await end(again, "second");
  await bench.untilDelivered();
  assert.deepEqual((await exitsOf(one))[1], { pid: other.pid, reason: "second", refs: ["r2"] });
});

/** Empties this one's outbox alone. */
async function deliverFrom(held: Held): Promise<void> {
  await bench.outboxes.empty(held.lease.partition, await outboxOf(held));
}

test("an exit signal, or an unlink, that is skipped takes the references that it names out of tie and watch", async () => {
  for (const kind of ["exit", "unlink"] as const) {
    const [held, other] = [await bench.startProcess(), await bench.startProcess()];
    const own = keys.own(held.lease.partition, await outboxOf(held));
    const field = `l:${other.pid}`;
    await commitAll(held, ...link(held, other.pid, "r1"), ...link(held, other.pid, "r2"), ["tie", field, "r1 r2"]);
    for (const [refs, left] of [
      [["r1", "r0"], ["r2"]],
      [["r2"], []],
    ] as const) {
      await bench.send(held.pid, { pid: other.pid, reason: "gone", refs }, { kind });
      await control.pause(held.pid);
      await bench.putDown(held);
      assert.equal((await control.skip(held.pid, undefined)).kind, kind);
      assert.deepEqual(await toldRefs(held, other), left);
      assert.equal(await bench.link.call("hget", own, field), left[0] ?? null);
      await control.resume(held.pid);
      held.lease = bench.leaseOf(held.pid, held.session, await bench.claim(held.pid, held.session));
    }
  }
});
