import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { Keys } from "@genserverless/shared/redis/keys.ts";
import type { Redis } from "ioredis";
import { untilSound } from "../tools/audit.ts";
import { assertNoChildLeft } from "../tools/child.ts";
import { TEST_MODULES, TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { countBoots } from "../tools/worker-killer.ts";

/** What the journal of an entity is like in Redis, and what becomes of one that another hand has damaged. */

const SOON = { withinMs: 30_000 };
const cluster = new TestCluster({ apis: 1, workers: 1, modulesDir: `${TEST_MODULES}:test/contract/modules` });
const { client } = cluster;
const keys = new Keys(cluster.keyPrefix, 64);
let redis: Redis;

before(async () => {
  await cluster.start();
  redis = cluster.redis.connect();
});
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

const journalOf = (pid: string) => keys.journal(keys.partitionOf(pid as Pid), pid as Pid);
const recordOf = (pid: string) => keys.process(keys.partitionOf(pid as Pid), pid as Pid);
const add = (pid: string, by: number) => client.call(pid, { add: by }, { timeoutMs: 20_000 });

/** Has no worker it in memory. */
async function putToSleep(): Promise<void> {
  const [worker] = cluster.workers;
  assert.ok(worker);
  const boots = countBoots(worker);
  await worker.kill();
  await worker.start();
  await until(() => countBoots(worker) > boots, { withinMs: 60_000, what: "the worker is back" });
}

const DAMAGES: Record<string, { damage: (pid: string) => Promise<unknown>; says: RegExp }> = {
  "torn: its data is no JSON": {
    damage: async (pid) => {
      await redis.xdel(journalOf(pid), "5-0");
      await rewrite(pid, 5, { d: '{"half' });
    },
    says: /event 5 of tally\/.* is torn: SyntaxError/,
  },
  "torn: a field is missing": {
    damage: (pid) => rewrite(pid, 4, { v: undefined }),
    says: /event 4 of tally\/.* is torn: it has t, d, a, m/,
  },
  "of a type that the module does not know": {
    damage: (pid) => rewrite(pid, 3, { t: "subtracted" }),
    says: /event 3 of tally\/.*, subtracted of version 1: TypeError: tally has no event subtracted; it has added/,
  },
  "of a version that the module does not have yet": {
    damage: (pid) => rewrite(pid, 3, { v: "9" }),
    says: /event 3 of tally\/.*, added of version 9 is not upcast: TypeError: tally is of version 1/,
  },
  missing: {
    damage: (pid) => redis.xdel(journalOf(pid), "2-0"),
    says: /event 2 of tally\/.* is missing: 3-0 stands in its place/,
  },
  "missing at the end": {
    damage: (pid) => redis.xdel(journalOf(pid), "5-0"),
    says: /the journal of tally\/.* goes to 4-0, and its record to 5/,
  },
  "ahead of the record": {
    damage: (pid) => redis.xadd(journalOf(pid), "6-0", "t", "added", "d", "1", "v", "1", "a", "1", "m", ""),
    says: /the journal of tally\/.* goes to 6-0, and its record to 5/,
  },
  "out of order": {
    damage: async (pid) => {
      await redis.xdel(journalOf(pid), "5-0");
      await redis.xadd(journalOf(pid), "5-1", "t", "added", "d", "1", "v", "1", "a", "1", "m", "");
    },
    says: /the journal of tally\/.* goes to 5-1, and its record to 5/,
  },
  "behind its snapshot": {
    damage: (pid) => redis.hset(recordOf(pid), "d", '#50 1 {"total":50}'),
    says: /the journal of tally\/.* goes to 5, and its snapshot is of event 50/,
  },
  "left by a torn snapshot": {
    damage: (pid) => redis.hset(recordOf(pid), "d", '#5 1 {"total'),
    says: /the snapshot of tally\/.* at event 5 is torn/,
  },
};

/** Writes the whole stream anew, with other fields in one entry. */
async function rewrite(pid: string, sequence: number, change: Record<string, string | undefined>): Promise<void> {
  const key = journalOf(pid);
  const entries = await redis.xrange(key, "-", "+");
  if (!entries.some(([id]) => id === `${sequence}-0`)) {
    entries.push([`${sequence}-0`, ["t", "added", "d", "1", "v", "1", "a", "1", "m", ""]]);
  }
  await redis.del(key);
  for (const [id, fields] of entries) {
    const given: Record<string, string | undefined> = {};
    for (let at = 0; at < fields.length; at += 2) given[fields[at] ?? ""] = fields[at + 1];
    const changed = id === `${sequence}-0` ? { ...given, ...change } : given;
    const flat = Object.entries(changed).flatMap(([name, text]) => (text === undefined ? [] : [name, text]));
    await redis.xadd(key, id, ...flat);
  }
}

for (const [what, { damage, says }] of Object.entries(DAMAGES)) {
  test(`an entity whose journal has an event that is ${what} is set aside by name, and no other`, async () => {
    const pid = `tally/damaged-${Object.keys(DAMAGES).indexOf(what)}`;
    const healthy = `${pid}-neighbour`;
    await add(pid, 5);
    await add(healthy, 5);
    await putToSleep();
    const [journal, record] = await Promise.all([redis.dump(journalOf(pid)), redis.hget(recordOf(pid), "d")]);
    const dumped = await redis.dumpBuffer(journalOf(pid));
    assert.ok(journal !== null && record !== null);
    await damage(pid);
    const waiting = add(pid, 1);
    const { body } = await until(async () => {
      const view = await client.read(pid, { withState: false });
      return view.body["status"] === "quarantined" && view;
    }, SOON);
    assert.match(String(body["reason"]), says);
    assert.equal((await add(healthy, 1)).body["reply"], 6);
    // Mended by hand, and let go on: the command that waited is handled, once.
    await redis.restore(journalOf(pid), 0, dumped, "REPLACE");
    await redis.hset(recordOf(pid), "d", record);
    assert.equal((await client.request("POST", `/v1/processes/${pid}/unquarantine`, {})).status, 200);
    assert.equal((await waiting).body["reply"], 6);
  });
}

test("an entry that another hand has added is found at the next command, and nothing is written over it", async () => {
  const pid = "tally/overtaken";
  await add(pid, 5);
  await redis.xadd(journalOf(pid), "6-0", "t", "added", "d", "1", "v", "1", "a", "1", "m", "");
  const waiting = add(pid, 1);
  await until(async () => (await client.read(pid, { withState: false })).body["status"] === "quarantined", SOON);
  await redis.xdel(journalOf(pid), "6-0");
  // The stream remembers its last id: what was written by hand stays refused until the stream is made anew.
  await rewrite(pid, 5, {});
  await client.request("POST", `/v1/processes/${pid}/unquarantine`, {});
  assert.equal((await waiting).body["reply"], 6);
});

test("a journal with a retention rule is cut behind a snapshot, and the state is the same", async () => {
  const pid = "tally/cut";
  for (let round = 0; round < 60; round++) await add(pid, 10);
  const length = await redis.xlen(journalOf(pid));
  assert.ok(length >= 30 && length < 300, `${length} events are kept`);
  await putToSleep();
  assert.equal((await add(pid, 1)).body["reply"], 601);
});

test("a stop of an entity that is to keep nothing takes the journal along", async () => {
  const pid = "tally/kept";
  await add(pid, 5);
  await client.stop(pid);
  assert.equal(await redis.exists(journalOf(pid)), 1);
  assert.equal((await add(pid, 1)).body["reply"], 6);
  await untilSound(redis, cluster.keyPrefix, 64);
});
