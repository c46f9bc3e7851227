import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { ClusterError } from "../service/errors.ts";
import { DeadLetters } from "./dead-letters.ts";
import { type Held, ScriptBench } from "./scripts.test-support.ts";

/** Dead letters that are put back or dropped, step by step. */

const bench = new ScriptBench();
const { keys } = bench;
let mailbox = { messages: 1_000, bytes: 1_000_000 };
let deadLetters: DeadLetters;

before(async () => {
  await bench.start();
  const rulesOf = () => ({ mailbox });
  const { link } = bench;
  deadLetters = new DeadLetters({ link, keys, rulesOf, knowsModule: () => true, isStorageFull: () => false });
});

after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

const refused = (code: string) => (error: unknown) => error instanceof ClusterError && error.code === code;

/** Messages that its callback failed on; their ids. */
async function fail({ pid, lease }: Held, messages: readonly unknown[], kind = "cast"): Promise<string[]> {
  const ids: string[] = [];
  for (const message of messages) {
    const id = await bench.send(pid, message, { kind });
    ids.push(id);
    assert.ok(await bench.commit(lease, [id], {}, "dead"));
  }
  return ids;
}

async function countLetters({ pid, lease }: Held): Promise<number> {
  const { i } = await bench.readRecord(pid);
  return await bench.link.call("zcard", keys.queue(lease.partition, `${pid}@${i}`, "failed"));
}

test("puts a dead letter back at the end of the mailbox, under its id, and once however often it is asked for", async () => {
  const held = await bench.startProcess();
  const { pid, session } = held;
  const before = await bench.count(pid, "failed");
  const [letter = ""] = await fail(held, [{ n: 1 }]);
  assert.equal(await bench.count(pid, "failed"), before + 1);
  const earlier = [await bench.send(pid, "hand"), await bench.send(pid, "waits")];
  await deadLetters.retry(pid, letter);
  await deadLetters.retry(pid, letter);
  assert.equal(await bench.readOutcome(letter), undefined, "it is queued again");
  const { messages } = await bench.claim(pid, session);
  assert.deepEqual(messages.map(({ id }) => id).slice(0, 1), earlier.slice(0, 1));
  const { n } = await bench.readRecord(pid);
  assert.deepEqual([n, await countLetters(held), await bench.count(pid, "failed")], ["3", 0, before]);
});

test("a letter of an ended life goes to the present one", async () => {
  const held = await bench.startProcess();
  const { pid, session, lease } = held;
  const [letter = ""] = await fail(held, [1]);
  await bench.commit(lease, [], { life: "wiped" });
  await assert.rejects(deadLetters.retry(pid, letter), refused("no_process"));
  await bench.begin(pid);
  await deadLetters.retry(pid, letter);
  const { messages } = await bench.claim(pid, session);
  assert.deepEqual(
    messages.map(({ kind }) => kind),
    ["start", "cast"],
  );
  assert.equal(messages[1]?.id, letter);
  assert.equal(await bench.link.call("exists", keys.graves(lease.partition, pid)), 0);
});

test("a timer's tick, a DOWN and an exit signal come back as the infos that they were", async () => {
  const held = await bench.startProcess();
  const { pid, session, lease } = held;
  const down = await fail(held, [{ type: "DOWN", ref: "r", pid: "a/b", reason: "normal" }], "down");
  const exit = await fail(held, [{ pid: "a/b", reason: "broke", refs: ["l"] }], "exit");
  const tick = `${lease.partition}-00000000-0000-4000-8000-000000000001`;
  await bench.commit(lease, [], { acts: [["arm", tick, 1, '{"f":"","h":"","k":60000,"t":"name","m":"tick"}']] });
  await bench.commit(lease, [tick], {}, "dead");
  assert.equal(await deadLetters.retryAll(pid), 3);
  const { messages } = await bench.claim(pid, session);
  const rest = [];
  const next = bench.leaseOf(pid, session, await bench.claim(pid, session));
  for (let batch = messages; batch.length > 0; ) {
    rest.push(...batch);
    batch =
      (
        await bench.commit(
          next,
          batch.map(({ id }) => id),
        )
      )?.messages ?? [];
  }
  const contents = new Map(rest.map(({ id, envelope }) => [id, (JSON.parse(envelope) as { m: unknown }).m]));
  // Those that failed within one millisecond come back in any order.
  assert.equal(rest.length, 3);
  assert.ok(rest.every(({ kind }) => kind === "info"));
  assert.deepEqual(contents.get(down[0] ?? ""), { type: "DOWN", ref: "r", pid: "a/b", reason: "normal" });
  assert.deepEqual(contents.get(exit[0] ?? ""), { type: "EXIT", pid: "a/b", reason: "broke" });
  assert.equal(contents.get(tick), "tick");
  assert.ok(rest.every(({ envelope }) => !envelope.includes('"t":')));
});

test("puts all back, as many as there are, and those of a paused process wait", async () => {
  const held = await bench.startProcess();
  const { pid } = held;
  await fail(
    held,
    Array.from({ length: 450 }, (_, index) => index),
  );
  await bench.link.call("hset", keys.process(held.lease.partition, pid), "p", "paused");
  assert.equal(await deadLetters.retryAll(pid), 450);
  assert.equal(await countLetters(held), 0);
  assert.equal((await bench.readRecord(pid))["n"], "450");
  assert.equal(await bench.isBusy(held), false);
});

test("a full mailbox takes no letter, and the letter stays", async () => {
  const held = await bench.startProcess();
  const { pid } = held;
  const [letter = ""] = await fail(held, [1]);
  await bench.send(pid, 2);
  mailbox = { messages: 1, bytes: 1_000_000 };
  await assert.rejects(deadLetters.retry(pid, letter), refused("mailbox_full"));
  await assert.rejects(deadLetters.retryAll(pid), refused("mailbox_full"));
  mailbox = { messages: 1_000, bytes: 1_000_000 };
  assert.equal(await countLetters(held), 1);
});

test("drops one for good, or all, also those of lives that have ended; the outcome stays", async () => {
  const held = await bench.startProcess();
  const { pid, lease } = held;
  const before = await bench.count(pid, "failed");
  const [letter = "", ...others] = await fail(held, [1, 2, 3]);
  await deadLetters.drop(pid, letter);
  await assert.rejects(deadLetters.drop(pid, letter), refused("unknown_message"));
  await assert.rejects(deadLetters.retry(pid, letter), refused("unknown_message"));
  assert.equal((await bench.readOutcome(letter))?.status, "failed");
  assert.equal(await bench.count(pid, "failed"), before + others.length);
  await bench.commit(lease, [], { life: "stopped" });
  assert.equal(await bench.count(pid, "failed"), before);
  assert.equal(await deadLetters.dropAll(pid), 2);
  assert.equal(await deadLetters.dropAll(pid), 0);
  assert.deepEqual(await bench.link.call("keys", `*q:${pid}@*`), []);
  assert.equal(await bench.link.call("exists", keys.graves(lease.partition, pid)), 0);
});
