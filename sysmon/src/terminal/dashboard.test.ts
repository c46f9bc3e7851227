import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertNoChildLeft } from "../../../test/tools/child.ts";
import { Terminal } from "../../../test/tools/terminal.ts";
import { TestCluster } from "../../../test/tools/test-cluster.ts";
import { until } from "../../../test/tools/until.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const SOON = { withinMs: 20_000 };
const ESCAPE = "\x1b";
const cluster = new TestCluster({ workers: 2 });

before(() => cluster.start());
after(async () => {
  await cluster.stop();
  assertNoChildLeft();
});

async function openDashboard(
  t: { after(fn: () => unknown): void },
  env: Record<string, string> = {},
  args: string[] = [],
) {
  const terminal = new Terminal({
    command: [process.execPath, ...args, MAIN],
    env: {
      REDIS_URL: cluster.redisUrl,
      KEY_PREFIX: cluster.keyPrefix,
      API_URL: cluster.urls[0] ?? "",
      SYSMON_WEB: "off",
      ...env,
    },
  });
  t.after(() => terminal.stop());
  await terminal.start();
  return terminal;
}

async function assertGivenBack(terminal: Terminal, code: number): Promise<void> {
  await terminal.untilShows(new RegExp(`^left with ${code}\\nicanon\\necho$`, "m"), SOON);
  assert.equal(await terminal.ask("alternate_on"), "0");
  assert.equal(await terminal.ask("cursor_flag"), "1");
}

test("shows the nodes, the processes page by page, and one of them with its state", async (t) => {
  for (let number = 0; number < 30; number++) await cluster.client.start("accumulator", `n${number}`, { args: number });
  const terminal = await openDashboard(t);
  const nodes = await terminal.untilShows(/worker {2}worker@worker-2 /, SOON);
  assert.doesNotMatch(nodes, /sysmon@/, "who only looks is no node");
  assert.equal(await terminal.ask("alternate_on"), "1");
  await terminal.type("2");
  const first = await terminal.untilShows(/page 1, n for the next[\s\S]*(accumulator\/n\d+ +idle[\s\S]*){19}/);
  await terminal.type("n");
  const second = await terminal.untilShows(/page 2, the last[\s\S]*accumulator\/n\d+ +idle/);
  const pids = `${first}${second}`.match(/^accumulator\/n\d+/gm);
  assert.equal(new Set(pids).size, 30);
  assert.equal(pids?.length, 30);
  await terminal.type("o");
  await terminal.type("accumulator/n7");
  await terminal.press("Enter");
  await terminal.untilShows(/accumulator\/n7 {2}idle[\s\S]*STATE {2}\d+ B/);
  await terminal.type("q");
  await assertGivenBack(terminal, 0);
});

test("calls a process, pauses it once asked, and says what came of it", async (t) => {
  await cluster.client.start("accumulator", "steered", { args: 5 });
  const terminal = await openDashboard(t);
  await terminal.untilShows(/worker@worker-1/, SOON);
  await terminal.type("2");
  await terminal.untilShows(/accumulator\//);
  await terminal.type("o");
  await terminal.type("accumulator/steered");
  await terminal.press("Enter");
  await terminal.untilShows(/steered {2}idle/);
  await terminal.type("c");
  await terminal.type('{"add":37}');
  await terminal.press("Enter");
  await terminal.untilShows(/call accumulator\/steered: \{"reply":42,/);
  await terminal.type("P");
  await terminal.untilShows(/Pause accumulator\/steered\? y or n/);
  await terminal.type("n");
  await terminal.type("P");
  await terminal.untilShows(/Pause accumulator\/steered\? y or n/);
  await terminal.type("y");
  await terminal.untilShows(/steered {2}paused/);
  await terminal.type("R");
  await terminal.untilShows(/steered {2}idle/);
  await terminal.press("C-c");
  await assertGivenBack(terminal, 0);
});

test("fits any window: 80×24, 20×5, 120×40 and back", async (t) => {
  const terminal = await openDashboard(t);
  await terminal.untilShows(/worker@worker-1/, SOON);
  for (const tab of ["1", "2", "3", "4", "5", "6", "?"]) {
    await terminal.type(tab);
    await terminal.resize(20, 5);
    await terminal.untilShows(/^ genserverless[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*\n1-6 tabs/);
    await terminal.resize(120, 40);
    await terminal.untilShows(/^ genserverless[^\n]*Z\n 1 nodes {3}2 processes/);
  }
  await terminal.resize(80, 24);
  await terminal.type("6");
  await terminal.untilShows(/^503 functions_unavailable this cluster runs no functions.*\n\n/m);
  await terminal.type("1");
  await terminal.untilShows(/worker@worker-1/);
});

test("says that Redis is away over the last picture, greyed, and goes on when it is back", async (t) => {
  const terminal = await openDashboard(t);
  await terminal.untilShows(/worker@worker-1/, SOON);
  await cluster.redis.kill();
  t.after(() => cluster.redis.isAlive || cluster.redis.restart());
  const away = await terminal.untilShows(/Redis is away: the last picture is \d/);
  assert.match(away, /worker@worker-1/);
  assert.match(await terminal.readStyled(), new RegExp(`${ESCAPE}\\[2mstarting[^${ESCAPE}]*worker@worker-1`));
  await terminal.type("2");
  await cluster.redis.restart();
  await terminal.untilShows(/^ genserverless[\s\S]*accumulator\//, SOON);
});

test("gives the terminal back when it is told to end, and when it crashes", async (t) => {
  const told = await openDashboard(t);
  await told.untilShows(/worker@worker-1/, SOON);
  process.kill(await told.commandPid(), "SIGTERM");
  await assertGivenBack(told, 0);

  const crash = "data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('crashed')})";
  const crashing = await openDashboard(t, {}, ["--import", crash]);
  await crashing.untilShows(/worker@worker-1/, SOON);
  process.kill(await crashing.commandPid(), "SIGUSR2");
  await crashing.untilShows(/Error: crashed/, SOON);
  await assertGivenBack(crashing, 1);
});

test("prints tables on a terminal that is dumb, and no colour where none is wanted", async (t) => {
  const dumb = await openDashboard(t, { TERM: "dumb" });
  await dumb.untilShows(/PROCESSES/, SOON);
  await until(async () => (await dumb.ask("history_size")) !== "0", { ...SOON, what: "tables are appended" });
  assert.equal(await dumb.ask("alternate_on"), "0");
  const plain = await openDashboard(t, { NO_COLOR: "1" });
  await plain.untilShows(/worker@worker-1/, SOON);
  assert.doesNotMatch(await plain.readStyled(), new RegExp(`${ESCAPE}\\[[\\d;]*3[0-7]m`));
});

test("waits for a Redis that is not there, and ends at once when told", async (t) => {
  const terminal = await openDashboard(t, { REDIS_URL: "redis://127.0.0.1:1" });
  await terminal.untilShows(/Redis is away: waiting for it/, SOON);
  await terminal.type("2");
  await terminal.type("q");
  await assertGivenBack(terminal, 0);
});
