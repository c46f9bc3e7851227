import assert from "node:assert/strict";
import { test } from "node:test";
import { Events } from "@genserverless/shared/service/events.ts";
import { History } from "./history.ts";
import { clusterView, nodeView } from "./view/sample.test-support.ts";
import { Watch } from "./watch.ts";

function buildHistory(most = 120) {
  let view = clusterView();
  const watch = new Watch({ readCluster: async () => view, events: new Events() });
  const clock = { nowMs: 1_000 };
  const history = new History({ watch, most, now: () => clock.nowMs, everyMs: 5 });
  const show = (next: typeof view) => {
    view = next;
  };
  return { history, watch, clock, show };
}

const api = (name: string, rate: number, p50Ms: number, p99Ms: number) =>
  nodeView({ id: name, name, role: "api", rate, latency: { p50Ms, p99Ms } });

test("sums the rates by role, weighs the medians by requests, and keeps the worst p99", () => {
  const { history } = buildHistory();
  const nodes = [
    api("a", 30, 1, 5),
    api("b", 10, 5, 40),
    api("idle", 0, 0, 0),
    nodeView({ rate: 7 }),
    nodeView({ rate: 8 }),
  ];
  history.note({ view: clusterView(nodes), ageMs: 0, away: false });
  assert.deepEqual(history.beats, [
    { atMs: 1_000, turnsPerS: 15, requestsPerS: 40, p50Ms: 2, p99Ms: 40, waiting: 31, nodes: 5 },
  ]);
});

test("latency is not known where no api has had a request", () => {
  const { history } = buildHistory();
  history.note({ view: clusterView([api("a", 0, 0, 0)]), ageMs: 0, away: false });
  assert.equal(history.beats[0]?.p50Ms, undefined);
  assert.equal(history.beats[0]?.p99Ms, undefined);
});

test("keeps the last beats only, each picture once, and nothing while Redis is away", () => {
  const { history, clock } = buildHistory(3);
  for (const nowMs of [1, 2, 3, 4]) {
    clock.nowMs = nowMs;
    const picture = { view: clusterView(), ageMs: 0, away: false };
    history.note(picture);
    history.note(picture);
    history.note({ view: clusterView(), ageMs: 0, away: true });
  }
  assert.deepEqual(
    history.beats.map(({ atMs }) => atMs),
    [2, 3, 4],
  );
});

test("looks by itself while it runs; stop is safe twice and without start", async (t) => {
  const { history } = buildHistory();
  await history.stop();
  await history.start();
  await history.start();
  await t.waitFor(() => assert.equal(history.beats.length, 1), { timeout: 10_000 });
  await history.stop();
  await history.stop();
});
