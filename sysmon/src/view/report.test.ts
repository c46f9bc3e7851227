import assert from "node:assert/strict";
import { test } from "node:test";
import { describeRedis, reportCluster } from "./report.ts";
import { clusterView, nodeView, SAMPLE_NOW_MS } from "./sample.test-support.ts";

test("shows processes by status, mailbox totals and nodes as plain tables, nodes by role and name", () => {
  const view = clusterView([
    { ...nodeView({ id: "s", role: "sysmon", name: "sysmon@s", host: "h3" }), osPid: 9 },
    nodeView({ id: "w2", name: "worker@worker-2", seenMsAgo: 1200, held: 9, turns: 7 }),
    nodeView({ id: "w1" }),
    {
      id: "a",
      role: "api",
      name: "api@api-1",
      host: "h1",
      osPid: 12,
      startedAt: "2026-03-01T06:00:00Z",
      seenMsAgo: 90,
    },
  ]);
  assert.deepEqual(reportCluster(view, 0, SAMPLE_NOW_MS), [
    "PROCESSES  STARTING  RUNNING  IDLE  PAUSED  STOPPED  QUARANTINED",
    "     1898         1       12  1880       0        4            1",
    "",
    "MAILBOXES  WAITING  DELAYED  FAILED",
    "       39       31        6       2",
    "",
    "ROLE    NODE             HOST           PID     UP  SEEN  HELD  TURNS  MODULES",
    "api     api@api-1        h1              12  6h00m  0.1s     -      -  -",
    "worker  worker@worker-1  62e5542039f7  4711  3m04s  0.4s   117  20482  accumulator@1 stack@1",
    "worker  worker@worker-2  62e5542039f7  4711  3m04s  1.2s     9      7  accumulator@1 stack@1",
    "sysmon  sysmon@s         h3               9  3m04s  0.4s   117  20482  accumulator@1 stack@1",
  ]);
});

test("a cluster without nodes says so", () => {
  assert.equal(reportCluster(clusterView([]), 0, SAMPLE_NOW_MS).at(-1), "no nodes");
});

test("the age of an old picture counts into when its nodes were seen", () => {
  assert.match(reportCluster(clusterView(), 60_000, SAMPLE_NOW_MS).at(-1) ?? "", / 1m00s /);
});

test("names that carry terminal commands are shown, not obeyed", () => {
  const hostile = nodeView({ name: "\x1b]0;owned\x07", host: "\x1b[2J", modules: ["a\nb"] });
  const text = reportCluster(clusterView([hostile]), 0, SAMPLE_NOW_MS).join("\n");
  assert.ok(!text.includes("\x1b") && !text.includes("\x07") && text.includes("a?b"), text);
});

test("Redis is described as it is: here, away, never seen", () => {
  const view = clusterView();
  const unlimited = { ...view, redis: { ...view.redis, maxMemoryBytes: 0 } };
  assert.equal(describeRedis({ view, ageMs: 0, away: false }), "Redis 7.0.15, 3.3 MiB of 256 MiB used");
  assert.equal(describeRedis({ view: unlimited, ageMs: 0, away: false }), "Redis 7.0.15, 3.3 MiB used, no limit");
  assert.equal(describeRedis({ view, ageMs: 12_000, away: true }), "Redis is away: the last picture is 12s old");
  assert.equal(describeRedis({ ageMs: 0, away: true }), "Redis is away: waiting for it");
});
