import assert from "node:assert/strict";
import { test } from "node:test";
import type { ListQuery } from "@genserverless/shared/inspect/views.ts";
import { clusterView, nodeView } from "../view/sample.test-support.ts";
import { processView } from "../view/sample-model.test-support.ts";
import type { Eyes } from "./eyes.ts";
import { Inspector } from "./inspector.ts";
import { ProcessBrowser } from "./process-browser.ts";

/** A cluster of `count` processes whose questions are counted. */
function buildEyes(count: number) {
  const asked: string[] = [];
  const changes = { revision: 1, isAway: false };
  const view = (number: number) => processView({ pid: `stack/${number}`, turns: number, revision: changes.revision });
  const answer = async <T>(question: string, value: T): Promise<T> => {
    asked.push(question);
    if (changes.isAway) throw new Error("Redis cannot be reached");
    return value;
  };
  const eyes: Eyes = {
    listProcesses: ({ limit, cursor = "0", ...filter }: ListQuery) => {
      const from = Number(cursor);
      const processes = Array.from({ length: Math.min(limit, count - from) }, (_, index) => view(from + index));
      const next = from + limit < count ? { nextCursor: String(from + limit) } : {};
      return answer(`list ${limit} from ${from}${filter.module ? ` of ${filter.module}` : ""}`, { processes, ...next });
    },
    readProcess: (pid, withState) =>
      answer(`${withState ? "state" : "process"} ${pid}`, {
        ...view(Number(pid.split("/")[1])),
        ...(withState && { state: { on: 1 } }),
      }),
    readMailbox: () => answer("mailbox", undefined),
    readDeadLetters: () => answer("dead letters", []),
    readTies: () => answer("ties", undefined),
    readLastError: () => answer("last error", undefined),
    readStateBytes: () => answer("bytes", 10),
  };
  return { eyes, asked, changes };
}

test("100,000 processes cost one page of as many rows as are seen", async () => {
  const { eyes, asked } = buildEyes(100_000);
  const browser = new ProcessBrowser(eyes);
  await browser.load(20, undefined);
  assert.deepEqual(asked, ["list 20 from 0"]);
  assert.equal(browser.model.rows.length, 20);
});

test("a page that was just read is not read again at once, unless there is more room", async (t) => {
  t.mock.method(performance, "now", () => 0);
  const { eyes, asked } = buildEyes(100);
  const browser = new ProcessBrowser(eyes);
  await Promise.all([browser.load(20, undefined), browser.load(20, undefined)]);
  await browser.load(20, undefined);
  await browser.load(40, undefined);
  assert.deepEqual(asked, ["list 20 from 0", "list 40 from 0"]);
});

test("pages go forth and back, and a filter begins anew", async () => {
  const { eyes, asked } = buildEyes(50);
  const browser = new ProcessBrowser(eyes);
  const load = () => browser.load(20, undefined);
  await load();
  browser.previousPage();
  browser.nextPage();
  await load();
  browser.nextPage();
  await load();
  assert.deepEqual([browser.model.page, browser.model.hasNext, browser.model.rows.length], [3, false, 10]);
  browser.nextPage();
  browser.previousPage();
  await load();
  browser.filter("module=stack");
  await load();
  assert.equal(browser.model.page, 1);
  assert.deepEqual(asked, [
    "list 20 from 0",
    "list 20 from 20",
    "list 20 from 40",
    "list 20 from 20",
    "list 20 from 0 of stack",
  ]);
});

test("sorting keeps the chosen process chosen", async () => {
  const browser = new ProcessBrowser(buildEyes(10).eyes);
  await browser.load(20, undefined);
  browser.move(1);
  const { chosenPid } = browser;
  while (browser.model.sort !== "turns") browser.nextSort();
  assert.equal(browser.model.rows[0]?.pid, "stack/9");
  assert.equal(browser.chosenPid, chosenPid);
});

test("the busiest come from the heartbeats, the busiest first", async () => {
  const { eyes, asked } = buildEyes(100_000);
  const browser = new ProcessBrowser(eyes);
  browser.toggleBusiest();
  const busy = (id: string, pid: string, turns: number) => nodeView({ id, busiest: [{ pid, turns, failed: 0 }] });
  await browser.load(20, clusterView([busy("a", "stack/7", 5), busy("b", "stack/8", 50)]));
  assert.deepEqual(asked, ["process stack/8", "process stack/7"]);
  assert.deepEqual(
    browser.model.rows.map(({ pid }) => pid),
    ["stack/8", "stack/7"],
  );
});

test("a page that cannot be read keeps what was seen, and says why", async () => {
  const { eyes, changes } = buildEyes(30);
  const browser = new ProcessBrowser(eyes);
  await browser.load(10, undefined);
  changes.isAway = true;
  await browser.load(20, undefined);
  assert.equal(browser.model.rows.length, 10);
  assert.equal(browser.model.error, "Redis cannot be reached");
});

test("the state of a process is read when it has changed, and not otherwise", async () => {
  const { eyes, asked, changes } = buildEyes(10);
  const inspector = new Inspector(eyes, () => () => {});
  inspector.open("stack/3");
  await inspector.load();
  await inspector.load();
  const reads = () => asked.filter((question) => question === "state stack/3").length;
  assert.equal(reads(), 1);
  assert.deepEqual(inspector.model.state?.lines, ["{", '  "on": 1', "}"]);
  changes.revision++;
  await inspector.load();
  assert.equal(reads(), 2);
});

test("commits are told while a process is looked at, and no longer", async () => {
  let watched = 0;
  const inspector = new Inspector(buildEyes(10).eyes, (_pid, onCommit) => {
    watched++;
    onCommit({ atMs: 0, revision: 1, turns: 1, messages: ["cast done"] });
    return () => watched--;
  });
  inspector.open("stack/3");
  await inspector.load();
  await inspector.load();
  assert.equal(watched, 1);
  assert.equal(inspector.model.commits.length, 1);
  inspector.open("stack/4");
  assert.equal(watched, 0);
  assert.deepEqual(inspector.model.commits, []);
  await inspector.load();
  inspector.close();
  inspector.close();
  assert.equal(watched, 0);
});
