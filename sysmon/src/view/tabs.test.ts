import assert from "node:assert/strict";
import { test } from "node:test";
import { outlineJson } from "./json-outline.ts";
import { textOf } from "./line.ts";
import { viewLog } from "./log-view.ts";
import { viewNodes } from "./nodes-view.ts";
import { describeProcess, viewProcess } from "./process-view.ts";
import { viewProcesses } from "./processes-view.ts";
import { clusterView, nodeView, SAMPLE_NOW_MS } from "./sample.test-support.ts";
import { logEntry, model, processView } from "./sample-model.test-support.ts";

const texts = (lines: readonly Parameters<typeof textOf>[0][]) => lines.map((line) => textOf(line).trimEnd());

test("nodes: role, host, load, held, rate, lag and the age of the heartbeat, under charts of the recent past", () => {
  const worker = nodeView({ load: 0.42, lagMs: 12.4, rate: 118.2, latency: { p50Ms: 0.8, p99Ms: 4.2 }, failures: 0 });
  const beats = [0, 50, 100].map((turnsPerS) => ({
    atMs: SAMPLE_NOW_MS,
    turnsPerS,
    requestsPerS: 10,
    p50Ms: 1,
    p99Ms: 8,
    waiting: 31,
    nodes: 1,
  }));
  const shown = model({ picture: { view: clusterView([worker]), ageMs: 0, away: false }, history: beats });
  assert.deepEqual(texts(viewNodes(shown, 120, 20)), [
    "starting 1  running 12  idle 1880  paused 0  stopped 4  quarantined 1",
    "turns/s              100  ▁▅█",
    "requests/s            10  ███",
    "call p50            1 ms  ███",
    "call p99            8 ms  ███",
    "mailboxes             31  ███",
    "",
    "ROLE    NODE             HOST          LOAD  HELD   /S     P99    LAG  SEEN     UP  FAILED  MODULES",
    "worker  worker@worker-1  62e5542039f7   42%   117  118  4.2 ms  12 ms  0.4s  3m04s       0  accumulator@1 stack@1",
  ]);
});

test("nodes: a narrow or low window keeps the names and gives up the rest", () => {
  const lines = texts(viewNodes(model(), 20, 3));
  assert.deepEqual(lines, ["NODE", "worker@worker-1"]);
});

test("processes: the chosen row, the last error, and what is not known yet", () => {
  const failed = {
    ...processView({ pid: "stack/s", mailbox: { waiting: 2, delayed: 1, failed: 3 } }),
    lastError: "boom",
  };
  const rows = [{ ...processView(), turnsPerS: 12 }, failed];
  const shown = model({ processes: { ...model().processes, rows, chosen: 1, hasNext: true } });
  const lines = viewProcesses(shown, 100, 10);
  assert.deepEqual(texts(lines), [
    "page 1, n for the next  sort none",
    "PID                STATUS  OWNER        MAIL  FAILED  TURNS  /S  LAST ERROR",
    "accumulator/alice  idle    worker@vm-1     0       0      3  12",
    "stack/s            idle    worker@vm-1   2+1       3      3   -  boom",
  ]);
  assert.ok(lines[3]?.every(({ tone }) => tone === "chosen"));
});

test("processes: the chosen row is in sight, however long the page is", () => {
  const rows = Array.from({ length: 200 }, (_, index) => processView({ pid: `stack/${index}` }));
  for (const chosen of [0, 100, 199]) {
    const shown = model({ processes: { ...model().processes, rows, chosen } });
    const lines = viewProcesses(shown, 80, 12);
    assert.equal(lines.length, 12);
    assert.ok(texts(lines).some((line) => line.startsWith(`stack/${chosen} `)));
  }
});

test("processes: an empty page says why it is empty", () => {
  const { processes } = model();
  const why = (changes: object) =>
    texts(viewProcesses(model({ processes: { ...processes, rows: [], ...changes } }), 80, 9))[1];
  assert.equal(why({ isLoaded: false }), "reading…");
  assert.equal(why({}), "no processes");
  assert.equal(why({ filter: "tag=x" }), "no process matches");
  assert.equal(why({ filter: "tag=x", hasNext: true }), "none among those looked at; n looks on");
  assert.equal(why({ isBusiest: true }), "no process has had a turn in the last beat");
});

test("process: state, mailbox, timers, ties, commits and dead letters, each where there are any", () => {
  const at = "2026-03-01T11:59:50Z";
  const lines = texts(
    describeProcess(
      {
        ...model().process,
        ties: {
          timers: [{ name: "tick", dueAtMs: SAMPLE_NOW_MS + 3_000, goesOn: "every 5000 ms" }],
          monitors: ["stack/m"],
          links: ["stack/l"],
          groups: ["room"],
          stateBytes: 13,
        },
        mailbox: {
          pid: "accumulator/alice",
          status: "idle",
          mailbox: { waiting: 1, delayed: 1, failed: 1 },
          running: [],
          waiting: [{ messageId: "1-1", kind: "cast", message: { add: [1, 2] }, queuedAt: at }],
          delayed: [
            {
              messageId: "1-2",
              kind: "info",
              message: "t",
              queuedAt: at,
              dueAt: "2026-03-01T12:00:03Z",
              timer: "tick",
            },
          ],
          isCut: false,
        },
        commits: [{ atMs: SAMPLE_NOW_MS - 1_000, revision: 3, turns: 3, messages: ["cast done"] }],
        deadLetters: [
          {
            messageId: "1-3",
            kind: "cast",
            message: "x",
            reason: "Error: boom",
            stack: [],
            deaths: 0,
            node: "worker@vm-1",
            failedAt: at,
          },
        ],
      },
      SAMPLE_NOW_MS,
      100,
    ),
  );
  assert.deepEqual(lines, [
    "accumulator/alice  idle",
    "revision 3  turns 3  epoch 1  module version 1",
    "owner worker@vm-1#fc2d32237479  started 3m04s ago  last commit 12s ago",
    "mail 0 waiting, 0 delayed, 0 failed",
    "",
    "STATE  13 B",
    "  {",
    '    "total": 110',
    "  }",
    "",
    "MAILBOX",
    '  waiting   cast   { "add": [ 1, 2 ] }  for 10s',
    '  delayed   info of timer tick "t"  in 3.0s',
    "",
    "TIMERS",
    "  tick  in 3.0s  every 5000 ms",
    "",
    "LINKS, MONITORS, GROUPS",
    "  link      stack/l",
    "  monitor   stack/m",
    "  group     room",
    "",
    "LAST COMMITS",
    "  1.0s ago  revision 3  turns 3  cast done",
    "",
    "DEAD LETTERS",
    '  10s ago  cast "x"  on worker@vm-1',
    "    Error: boom",
  ]);
});

test("process: a state of 5 MB is shown cut, with its size, at once", () => {
  let visited = 0;
  const state = Array.from({ length: 50_000 }, (_, index) => ({
    index,
    get text() {
      visited += 1;
      return "x".repeat(80);
    },
  }));
  const process = {
    ...model().process,
    state: outlineJson(state),
    ties: { ...model().process.ties, stateBytes: 5_300_000 },
  };
  const lines = texts(describeProcess(process as never, SAMPLE_NOW_MS, 80));
  assert.ok(visited > 0 && visited < lines.length, `${visited} of its rows were visited`);
  assert.ok(lines.includes("STATE  5.1 MiB") && lines.includes("  … cut here; the API has all of it"));
  assert.ok(lines.length < 250);
});

test("process: it scrolls, and never past its end", () => {
  const page = (top: number) => texts(viewProcess(model({ process: { ...model().process, top } }), 80, 4));
  assert.equal(page(0)[0], "accumulator/alice  idle");
  assert.equal(page(1_000).at(-1), "  }");
  assert.equal(page(1_000).length, 4);
});

test("log: the newest stand at the bottom, and one can look back", () => {
  const entries = Array.from({ length: 100 }, (_, index) =>
    logEntry({ id: `${index}-0`, msg: `entry ${index}`, nodes: 2 }),
  );
  const log = { ...model().log, entries };
  assert.equal(texts(viewLog(log, 80, 10)).at(-1), "12:00:00 worker@vm-1  entry 99  nodes=2");
  const back = texts(viewLog({ ...log, back: 50 }, 80, 10));
  assert.match(back[0] ?? "", /^50 back/);
  assert.match(back.at(-1) ?? "", /entry 49/);
  assert.match(texts(viewLog({ ...log, back: 1_000 }, 80, 10))[1] ?? "", /entry 0 /);
});
