import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { audit } from "../../../test/tools/audit.ts";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { Journals, type RawEntry } from "./journal.ts";
import type { Act, Emission } from "./leases.ts";
import { type Held, ScriptBench } from "./scripts.test-support.ts";

/** Journals as commits write them and claims read them, at their bounds and where another hand was at work. */

const bench = new ScriptBench();
const { keys } = bench;
let redis: ReturnType<typeof bench.server.connect>;

before(async () => {
  await bench.start();
  redis = bench.server.connect();
});
afterEach(() => redis.flushall());
after(async () => {
  await bench.stop();
  assertNoChildLeft();
});

const journalOf = ({ pid, lease }: Held) => keys.journal(lease.partition, pid);
const recordOf = ({ pid, lease }: Held) => keys.process(lease.partition, pid);

function events(count: number, dataText = "1"): Emission[] {
  return Array.from({ length: count }, () => ({ type: "added", dataText, messageId: "" }));
}

/** A process that has emitted these. */
async function withJournal(...commits: Emission[][]): Promise<Held> {
  const held = await bench.startProcess();
  await bench.commit(held.lease, [], { stateText: "#0" });
  for (const emitted of commits) assert.ok(await bench.commit(held.lease, [], { events: emitted }));
  return held;
}

/** As its worker's successor finds it. */
async function claimAnew({ pid, session }: Held) {
  const { journal } = await bench.claim(pid, session);
  assert.ok(journal);
  return journal;
}

/** How many events each page of its journal has. */
async function listPages(
  { pid }: Held,
  last: number,
  first: RawEntry[],
  largest: number | undefined,
): Promise<number[]> {
  const journals = new Journals(bench.link, keys);
  const pages: number[] = [];
  for await (const page of journals.pages(pid, 1, last, first, largest)) pages.push(page.length);
  return pages;
}

test("a claim brings no more than about 1 MiB of events, and the rest is read in pages as large", async () => {
  const large = JSON.stringify("x".repeat(250_000));
  const held = await withJournal(events(30, large), events(30, large), events(40, "1"));
  const { entries, last, largest } = await claimAnew(held);
  assert.equal(last, 100);
  assert.ok(entries.length >= 5 && entries.length <= 20, `${entries.length} entries`);
  assert.equal(largest, 250_002);
  for (const known of [largest, undefined]) {
    const pages = await listPages(held, last, entries, known);
    assert.equal(
      pages.reduce((sum, length) => sum + length, 0),
      100,
    );
    // The last one has the small events, where their size is looked at.
    assert.ok(Math.max(...pages.slice(0, -1)) <= 20, pages.join());
  }
});

test("a claim brings 512 small events, and pages of the rest 1,000", async () => {
  const held = await withJournal(events(3_000));
  const { entries, last, largest } = await claimAnew(held);
  for (const known of [largest, undefined]) {
    assert.deepEqual(await listPages(held, last, entries, known), [512, 1_000, 1_000, 488]);
  }
});

test("a commit cuts a journal however much has come since the last cut", async () => {
  const held = await withJournal(events(10_000), events(10_000), events(10_000));
  const compact: Act[] = [["compact", 1, 0]];
  await bench.commit(held.lease, [], { stateText: "#30000 1 0", acts: compact });
  await bench.commit(held.lease, [], { events: events(1), stateText: "#30001 1 0", acts: compact });
  assert.ok((await redis.xlen(journalOf(held))) < 1_000, `${await redis.xlen(journalOf(held))} events are left`);
  assert.deepEqual(await audit(redis, keys.prefix, keys.partitions), []);
});

test("an earlier snapshot that another hand has torn does not tear the commit that would cut behind it", async () => {
  const held = await withJournal(events(5));
  await redis.hset(keys.snapshots(held.lease.partition, held.pid), { next: "#torn", nextAt: 1 });
  const committed = await bench.commit(held.lease, [], {
    events: events(1),
    stateText: "#6 1 0",
    acts: [["compact", 1, 0]],
  });
  assert.ok(committed);
  const { d, J } = await bench.readRecord(held.pid);
  assert.deepEqual([d, J], ["#6 1 0", "6"]);
});

test("a claim tells the highest sequence that the journal ever had, also of events that are not there any more", async () => {
  const held = await withJournal(events(5));
  await redis.xadd(journalOf(held), "9-0", "t", "added");
  await redis.xdel(journalOf(held), "9-0");
  assert.equal(await bench.commit(held.lease, [], { events: events(1) }), undefined);
  const { last, newestId, topId } = await claimAnew(held);
  assert.deepEqual([last, newestId, topId], [5, "5-0", "9-0"]);
});

for (const torn of ["#", "#torn", "#5", '#5 1{"a":1}']) {
  test(`a claim of a process whose snapshot is ${torn} is a claim, and whoever makes the state finds it torn`, async () => {
    const held = await withJournal(events(5));
    await redis.hset(recordOf(held), "d", torn);
    assert.deepEqual((await claimAnew(held)).recordText, torn);
  });
}

test("a claim where something else lies in the place of the journal says so", async () => {
  const held = await withJournal(events(5));
  await redis.del(journalOf(held));
  await redis.set(journalOf(held), "no stream");
  const { newestId, entries } = await claimAnew(held);
  assert.match(newestId, /WRONGTYPE/);
  assert.deepEqual(entries, []);
});

test("how large the events of a journal can be is known from its first one on, and not of what was imported", async () => {
  const held = await withJournal(events(1, "123"), events(1, "1"), events(2, "12345"));
  assert.equal((await claimAnew(held)).largest, 5);
  await redis.hdel(recordOf(held), "B");
  held.lease.epoch = (await bench.readRecord(held.pid))["e"] ?? "";
  assert.ok(await bench.commit(held.lease, [], { events: events(1, "1") }));
  assert.equal((await claimAnew(held)).largest, undefined);
});
