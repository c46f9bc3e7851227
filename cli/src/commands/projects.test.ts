import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, runAgainst, runIn } from "../run.test-support.ts";
import { describeLine } from "./function-log.ts";

const API = { name: "API", type: "http", url: "/invoke/alice-shop/API" };
const TICKER = { name: "Ticker", type: "cron", schedule: "*/1 * * * *", timezone: "Europe/Berlin" };
const PROJECT = {
  name: "alice-shop",
  repository: "/srv/alice/shop",
  status: "ready",
  current: 2,
  commit: "abcdef0123".padEnd(40, "0"),
  functions: [API, TICKER],
};
const DEPLOYMENTS = [
  {
    number: 3,
    status: "failed",
    isCurrent: false,
    commit: "c".repeat(40),
    ref: "main",
    at: "T3",
    reason: { code: "no_entry", message: "none" },
  },
  {
    number: 2,
    status: "ready",
    isCurrent: true,
    commit: PROJECT.commit,
    ref: "main",
    at: "T2",
    durationMs: 1_500,
    rollbackOf: 1,
  },
];

test("projects are listed in a table, or one on a line of JSON each", async () => {
  const { stdout, requests } = await runAgainst([answer(200, { projects: [PROJECT] })], {}, "projects");
  assert.match(stdout, /^PROJECT +STATUS .*\nalice-shop {2}ready +2 {2}abcdef0 +2 {2}\/srv\/alice\/shop\n$/);
  assert.equal(requests[0]?.line, "GET /api/projects");
  const json = await runAgainst([answer(200, { projects: [PROJECT] })], {}, "projects", "--json");
  assert.deepEqual(JSON.parse(json.stdout), PROJECT);
  assert.equal((await runAgainst([answer(200, { projects: [] })], {}, "projects")).stderr, "no projects\n");
});

test("one project is shown with what its functions wait for and its deployments, the current one marked", async () => {
  const body = { ...PROJECT, deployments: DEPLOYMENTS };
  const { stdout, url } = await runAgainst([answer(200, body)], {}, "projects", "alice-shop");
  assert.match(stdout, /^project: +alice-shop\nrepository: +\/srv\/alice\/shop\nstatus: +ready\n/);
  assert.ok(stdout.includes(`API       http  ${url}/invoke/alice-shop/API\n`), stdout);
  assert.match(stdout, /\nTicker +cron +\*\/1 \* \* \* \* Europe\/Berlin\n/);
  assert.match(stdout, / 3 +failed +ccccccc +main +T3 +- +no_entry: none\n/);
  assert.match(stdout, / 2\* +ready +abcdef0 +main +T2 +1\.5s +back to 1\n$/);
});

test("a project that is not there is 1", async () => {
  const { code, stderr } = await runAgainst([answer(404, { message: "project not found!" })], {}, "projects", "nobody");
  assert.deepEqual([code, stderr], [1, "genserverless: http_404: project not found!\n"]);
});

test("a project is deleted when somebody says yes, and asked about first", async () => {
  const deleted = answer(200, { message: "project deleted." });
  const asked = { terminal: ["stdin" as const] };
  const yes = await runAgainst([answer(200, PROJECT), deleted], { ...asked, input: "y\n" }, "delete", "alice-shop");
  assert.deepEqual([yes.code, yes.stdout], [0, "project deleted.\n"]);
  assert.match(yes.stderr, /^Delete alice-shop, its 2 functions and all of its deployments\? \[y\/N\] $/);
  assert.equal(yes.requests[1]?.line, "DELETE /api/projects/alice-shop");
  for (const input of ["n\n", "\n", ""]) {
    const no = await runAgainst([answer(200, PROJECT)], { ...asked, input }, "delete", "alice-shop");
    assert.deepEqual([no.code, no.requests.length, no.stderr.includes("nothing was deleted")], [1, 1, true], input);
  }
  const sure = await runAgainst([deleted], {}, "delete", "alice-shop", "--yes");
  assert.deepEqual([sure.code, sure.stdout], [0, "project deleted.\n"]);
  const nobody = await runIn({}, "delete", "alice-shop");
  assert.deepEqual([nobody.code, nobody.stderr.includes("give --yes")], [2, true]);
});

test("functions are a table with their figures", async () => {
  const figures = {
    invocations: 12,
    failures: 1,
    timeouts: 2,
    refused: 3,
    coldStarts: 4,
    meanMs: 5.25,
    lastColdStartMs: 140.4,
  };
  const sandboxes = { warm: 6, busy: 7, waiting: 8 };
  const nextAt = new Date(Date.now() + 90_500).toISOString();
  const view = { project: "alice-shop", ...TICKER, ...figures, sandboxes, nextAt };
  const other = { ...view, project: "bob-shop" };
  const all = answer(200, { functions: [view, other] });
  const { stdout } = await runAgainst([all], {}, "functions", "alice-shop");
  const row = "alice-shop/Ticker +cron +12 +1 +2 +3 +5\\.3 ms +4 +140 ms +7 +6 +8 +1m\\d\\ds";
  assert.match(stdout, new RegExp(`^FUNCTION .*\\n${row}\\n$`));
  const missing = await runAgainst([all, answer(404, { message: "project not found!" })], {}, "functions", "nobody");
  assert.deepEqual([missing.code, missing.stderr], [1, "genserverless: http_404: project not found!\n"]);
  const run = { id: "1-a", dueAt: "T1", status: "failed", durationMs: 3, coldStart: true, error: "as\nasked" };
  const one = await runAgainst([answer(200, { ...view, runs: [run] })], {}, "functions", "alice-shop", "Ticker");
  assert.equal(one.requests[0]?.line, "GET /api/projects/alice-shop/functions/Ticker");
  assert.match(one.stdout, /\ncron: \*\/1 \* \* \* \* Europe\/Berlin\n/);
  assert.match(one.stdout, /\n1-a +T1 +failed +3\.0 ms +yes +as\?asked\n$/);
});

test("a line of a function's log is one line: when, which commit, which sandbox, where it came from, and what", () => {
  const line = {
    at: Date.UTC(2026, 2, 1),
    commit: "d".repeat(40),
    sandbox: 3,
    stream: "stderr" as const,
    text: "a\x1b[2J",
  };
  const plain = { paint: (_style: string, text: string) => text };
  assert.equal(describeLine(plain, line), "2026-03-01T00:00:00.000Z ddddddd sandbox 3 stderr  a?[2J");
});

test("--function stands without what filters the cluster's log", async () => {
  for (const args of [["accumulator/alice"], ["-m", "stack"], ["--level", "warn"]]) {
    const { code, stderr } = await runIn({}, "logs", "--function", "alice-shop/API", ...args);
    assert.deepEqual([code, stderr.includes("--function stands without")], [2, true]);
  }
  assert.equal((await runIn({}, "logs", "--function", "API")).code, 2);
});
