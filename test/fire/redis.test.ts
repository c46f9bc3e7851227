import assert from "node:assert/strict";
import { after, afterEach, before, suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNoChildLeft } from "../tools/child.ts";
import { CounterLoad } from "../tools/counter-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";

/** Redis dies, comes back older, or is full. */

const TTL_MS = 2_000;
const SOON = { withinMs: 30_000 };
const PROCESSES = 100;

after(assertNoChildLeft);

suite("a Redis that writes before it answers", () => {
  const cluster = new TestCluster({ apis: 2, workers: 2, sessionTtlMs: TTL_MS, redis: { appendfsync: "always" } });
  let load: CounterLoad | undefined;

  async function startLoad(prefix: string): Promise<CounterLoad> {
    load = new CounterLoad({ urls: () => cluster.urls, clients: 32, processes: PROCESSES, prefix, timeoutMs: 30_000 });
    await load.start();
    return load;
  }

  before(() => cluster.start());
  afterEach(() => load?.close());
  after(() => cluster.stop());

  test("redis-server killed and restarted under load, AOF always: every node comes back, nothing acknowledged is lost", {
    timeout: 240_000,
  }, async () => {
    const counters = await startLoad("killed");
    for (let kill = 0; kill < 3; kill++) {
      await sleep(700);
      await cluster.redis.kill();
      await sleep(kill * 700);
      await cluster.redis.restart();
      const before = counters.acknowledged;
      await until(() => counters.acknowledged > before + 200, { ...SOON, what: "calls work again" });
    }
    await counters.stop();
    assert.deepEqual(await counters.findViolations(), []);
  });

  test("Redis restarted from a copy of its AOF that is 2 s old, under load: no doubled turn, no two owners, nothing stuck", {
    timeout: 240_000,
  }, async () => {
    const counters = await startLoad("older");
    await sleep(1_000);
    const older = await cluster.redis.snapshotAof();
    await sleep(2_000);
    await cluster.redis.kill();
    const cutAt = performance.now();
    await cluster.redis.restart({ from: older });
    const before = counters.acknowledged;
    await until(() => counters.acknowledged > before + 500, { ...SOON, what: "calls work again" });
    await counters.stop();
    assert.ok(counters.slowestMs < 30_000, `an add was answered only after ${counters.slowestMs} ms`);

    // What was acknowledged before the cut may be lost, as documented. What was sent after it is a history of its own: its
    // replies are distinct and rise, and between the first and the last of them lie only adds that can be told.
    const later = counters.history.adds.filter(({ sentAt }) => sentAt > cutAt);
    // Up to 32 of the adds that were waited for had been sent before it.
    assert.ok(later.length > 400);
    for (const [key, adds] of Map.groupBy(later, (add) => add.key)) {
      const totals = adds.flatMap(({ outcome }) => (outcome.kind === "acknowledged" ? [outcome.total] : []));
      assert.equal(new Set(totals).size, totals.length, `${key}: two callers were told the same total`);
      const sorted = adds
        .filter(({ outcome }) => outcome.kind === "acknowledged")
        .sort((a, b) => a.answeredAt - b.answeredAt);
      for (const [index, add] of sorted.entries()) {
        const next = sorted[index + 1];
        if (next && next.sentAt > add.answeredAt) assert.ok(totalOf(next) > totalOf(add), `${key}: a total fell`);
      }
    }
    const { processes } = (await cluster.client.get("/v1/cluster")).body as { processes: Record<string, number> };
    assert.deepEqual([processes["idle"], processes["running"]], [2 * PROCESSES, 0]);
  });
});

function totalOf({ outcome }: { outcome: { kind: string; total?: number } }): number {
  return outcome.total ?? Number.NaN;
}

test("a full Redis refuses with storage_full, drains, and goes on by itself when there is room", {
  timeout: 240_000,
}, async (t) => {
  const cluster = new TestCluster({ redis: { maxmemory: "24mb" }, sessionTtlMs: TTL_MS });
  t.after(() => cluster.stop());
  await cluster.start();
  const { client } = cluster;
  await client.start("accumulator", "counter", { args: 0 });
  await client.start("troublemaker", "sleepy");
  const filler = "x".repeat(200_000);
  const sent: string[] = [];
  // While no worker handles it, mail can only grow.
  for (const worker of cluster.workers) await worker.pause();
  const refused = await until(
    async () => {
      const answer = await client.cast("troublemaker/sleepy", { do: "add", filler });
      if (answer.status === 202) sent.push(answer.body["messageId"] as string);
      return answer.status === 202 ? undefined : answer;
    },
    { withinMs: 60_000, everyMs: 0 },
  );
  assert.deepEqual([refused.status, refused.body["code"]], [503, "storage_full"]);
  assert.ok(refused.headers["retry-after"]);
  for (const worker of cluster.workers) worker.resume();
  await until(async () => (await client.call("accumulator/counter", { add: 1 })).status === 200, {
    withinMs: 60_000,
    what: "calls work again once the mailbox has drained",
  });
  const applied = async () => {
    const { body } = await client.call("troublemaker/sleepy", { do: "read" });
    return (body["reply"] as { count: number } | undefined)?.count === sent.length;
  };
  await until(applied, { withinMs: 60_000, what: `all ${sent.length} accepted casts are applied` });
});
