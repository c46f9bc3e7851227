import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNoChildLeft } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";

/** How often a process is started and stopped; `npm run soak` asks for more. */
const LIVES = Number(process.env["FIRE_SECONDS"] ?? 20) > 60 ? 400 : 20;
const MESSAGES = 500;

const cluster = new TestCluster({ apis: 2, workers: 2, sessionTtlMs: 2_000 });
const { client } = cluster;

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

test(`${MESSAGES} casts of one client are applied in the order in which they were sent`, {
  timeout: 240_000,
}, async () => {
  await client.start("stack", "ordered", { args: [] });
  const [url] = cluster.urls;
  assert.ok(url);
  for (let index = 0; index < MESSAGES; index++) {
    assert.equal((await client.cast("stack/ordered", { push: index }, { url })).status, 202);
  }
  const size = (await client.call("stack/ordered", "size")).body["reply"];
  const { state } = (await client.read("stack/ordered")).body as { state: unknown };
  assert.equal(size, MESSAGES);
  assert.deepEqual(
    state,
    Array.from({ length: MESSAGES }, (_, index) => MESSAGES - 1 - index),
  );
});

test("stop and start in a tight loop under load let no mail of an old life reach a new one", {
  timeout: 240_000,
}, async () => {
  const pid = "accumulator/phoenix";
  let life = 0;
  let isOver = false;
  const casts = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const sentIn = life;
      const { status } = await client.cast(pid, sentIn);
      assert.ok(status === 202 || status === 404, `a cast answered ${status}`);
    }
  });
  for (life = 1; life <= LIVES; life++) {
    const started = await client.start("accumulator", "phoenix", { args: 0 });
    assert.equal(started.status, 201, JSON.stringify(started.body));
    for (let call = 0; call < 5; call++) {
      const { status, body } = await client.call(pid, { add: life });
      assert.equal(status, 200, JSON.stringify(body));
    }
    const { state } = (await client.read(pid)).body as { state: { acc: number; count: number } };
    // What was sent in an earlier life carries a smaller number.
    assert.ok(state.acc >= state.count * (life - 1), `life ${life} holds ${JSON.stringify(state)}`);
    const stopped = await client.stop(pid);
    assert.deepEqual([stopped.status, stopped.body["reason"]], [200, "normal"]);
  }
  isOver = true;
  await Promise.all(casts);
  assert.equal((await client.read(pid)).status, 404);
});

test("of twenty simultaneous starts of one process one begins it", async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.start("accumulator", "twenty", { args: 1 })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array.from({ length: 19 }, () => 409)]);
  const returned = await Promise.all(
    Array.from({ length: 20 }, () => client.start("accumulator", "returned", { args: 1, ifExists: "return" })),
  );
  assert.deepEqual(returned.map(({ status }) => status).sort(), [...Array.from({ length: 19 }, () => 200), 201]);
});
