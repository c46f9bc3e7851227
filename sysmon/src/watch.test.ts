import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { clusterView } from "./view/sample.test-support.ts";
import { Watch, type WatchOptions } from "./watch.ts";

function buildWatch(readCluster: () => Promise<ClusterView>, options: Partial<WatchOptions> = {}) {
  const clock = { nowMs: 0 };
  const told: string[] = [];
  const events = new Events();
  events.listen(({ name }) => told.push(name));
  const watch = new Watch({ readCluster, events, patienceMs: 20, now: () => clock.nowMs, ...options });
  return { watch, clock, told };
}

test("everybody who looks during one beat shares one read", async () => {
  let reads = 0;
  const { watch, clock } = buildWatch(async () => {
    reads++;
    return clusterView();
  });
  await Promise.all(Array.from({ length: 50 }, () => watch.look()));
  clock.nowMs = 999;
  await watch.look();
  assert.equal(reads, 1);
  clock.nowMs = 1000;
  await Promise.all(Array.from({ length: 50 }, () => watch.look()));
  assert.equal(reads, 2);
});

test("nobody looking costs no read", () => {
  buildWatch(() => assert.fail("the cluster was read"));
});

test("keeps the last good picture with its age while reads fail, and says so once", async () => {
  let fails = false;
  const { watch, clock, told } = buildWatch(async () => {
    if (fails) throw new Error("connect ECONNREFUSED");
    return clusterView();
  });
  const view = (await watch.look()).view;
  fails = true;
  for (const nowMs of [2000, 3000, 4000]) {
    clock.nowMs = nowMs;
    assert.deepEqual(await watch.look(), { view, ageMs: nowMs, away: true });
  }
  fails = false;
  clock.nowMs = 5000;
  assert.deepEqual(await watch.look(), { view: clusterView(), ageMs: 0, away: false });
  assert.deepEqual(told, ["cluster.unreadable", "cluster.readable"]);
});

test("a view that says Redis is not connected does not replace the last good one", async () => {
  let connected = true;
  const { watch, clock } = buildWatch(async () => {
    const view = clusterView();
    return connected ? view : { ...view, nodes: [], redis: { ...view.redis, connected } };
  });
  await watch.look();
  connected = false;
  clock.nowMs = 1000;
  assert.deepEqual(await watch.look(), { view: clusterView(), ageMs: 1000, away: true });
});

test("a read that throws at once is a failed read", async () => {
  const { watch } = buildWatch(() => {
    throw new Error("not started");
  });
  assert.deepEqual(await watch.look(), { ageMs: 0, away: true });
});

test("a look does not outwait patience, an overdue read is not doubled, and its late answer counts", async () => {
  const answers: ((view: ClusterView) => void)[] = [];
  const { watch, clock, told } = buildWatch(() => new Promise((resolve) => answers.push(resolve)));
  assert.deepEqual(await watch.look(), { ageMs: 0, away: true });
  clock.nowMs = 5000;
  assert.deepEqual(await watch.look(), { ageMs: 0, away: true });
  assert.equal(answers.length, 1);
  answers[0]?.(clusterView());
  await new Promise(setImmediate);
  assert.deepEqual(told, ["cluster.unreadable", "cluster.readable"]);
});
