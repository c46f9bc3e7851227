import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { RingLoad } from "../tools/ring-load.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { WorkerKiller } from "../tools/worker-killer.ts";

/** How often the ring is gone through, and with how many tokens each; `npm run soak` asks for more. */
const ROUNDS = Math.max(1, Math.floor(Number(process.env["FIRE_SECONDS"] ?? 20) / 60));
const TOKENS = ROUNDS > 1 ? 40 : 20;
const PROCESSES = 50;
const HOPS = 5;
const ARRIVALS = PROCESSES * TOKENS * HOPS;
const WITHIN_MS = 240_000;

after(assertNoChildLeft);

test(`of ${ARRIVALS} messages that processes pass round while a worker is killed every second each arrives once, in order`, {
  timeout: ROUNDS * WITHIN_MS + 60_000,
}, async (t) => {
  const cluster = new TestCluster({ apis: 1, workers: 3, sessionTtlMs: 2_000, env: { DRAIN_MS: "50" } });
  const killer = new WorkerKiller(cluster.workers);
  try {
    await cluster.start();
    killer.start();
    for (let round = 0; round < ROUNDS; round++) {
      const { client } = cluster;
      const ring = new RingLoad({ client, prefix: `r${round}-`, processes: PROCESSES, tokens: TOKENS, hops: HOPS });
      await ring.start();
      const startedAt = performance.now();
      await ring.inject();
      const result = await ring.untilEnded(WITHIN_MS);
      t.diagnostic(
        `${result.arrived} in ${Math.round(performance.now() - startedAt)} ms, ${killer.kills} kills so far`,
      );
      assert.deepEqual(result, { arrived: ARRIVALS, ended: PROCESSES * TOKENS, faults: [] });
    }
    await killer.stop();
  } finally {
    await killer.stop();
    await cluster.stop();
  }
});
