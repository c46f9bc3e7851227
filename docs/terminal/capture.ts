/**
 * npm run captures: takes a picture of every tab of the dashboard, as text, from a real cluster at work, in a real
 * terminal of 100 × 30, and one of 20 × 5.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FunctionsCluster } from "../../test/functions/functions-cluster.ts";
import { SEED } from "../../test/functions/git-repository.ts";
import { Terminal } from "../../test/tools/terminal.ts";

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, "../..");
const SOON = { withinMs: 30_000 };
const CHARTED_MS = 30_000;
const ALICE = "accumulator/alice";
const MODULES = "modules:test/modules:functions/modules";

const withFunctions = new FunctionsCluster({ apis: 2, workers: 2, sessionTtlMs: 6_000, modulesDir: MODULES });
await withFunctions.start();
const { cluster } = withFunctions;
const { client } = cluster;
let isOver = false;

async function prepare(): Promise<void> {
  for (const key of ["alice", "bob", "carol", "dave"]) await client.start("accumulator", key, { args: 100 });
  for (let number = 1; number <= 15; number++) await client.start("stack", `s${number}`, { args: [number] });
  await client.start("troublemaker", "eve", {});
  for (const act of ["throw", "nonsense"]) await client.cast("troublemaker/eve", { do: act });
  await client.start("alarm", "clock", {});
  const now = Date.now();
  await client.cast("alarm/clock", { dueAts: [60_000, 600_000, 3_600_000].map((inMs) => now + inMs) });
  await client.request("POST", "/v1/processes/stack/s7/pause", {});
  await deploy();
}

async function deploy(): Promise<void> {
  const { project } = await withFunctions.deploy(withFunctions.makeRepository(SEED, "shop"));
  for (let at = 0; at < 40; at++) await withFunctions.ask("GET", `/invoke/${project}/API`);
  for (let at = 0; at < 3; at++) await withFunctions.ask("POST", `/ticks/${project}/Ticker`, {});
}

async function work(pid: string): Promise<void> {
  while (!isOver) await client.call(pid, { add: 1 });
}

/** A picture is the rows as they stand, without spaces at their ends, and without the place of a folder that is gone by then. */
function keep(name: string, shown: string): void {
  const rows = shown
    .split("\n")
    .map((row) => row.replace(/\S+\/alice\/shop$/, "https://github.com/alice/shop").trimEnd());
  writeFileSync(join(FOLDER, `${name}.txt`), `${rows.join("\n").trimEnd()}\n`);
  console.log(`${name}.txt`);
}

async function takePictures(terminal: Terminal): Promise<void> {
  await terminal.untilShows(/█/, SOON);
  await new Promise((resolve) => setTimeout(resolve, CHARTED_MS));
  keep("nodes", await terminal.read());
  await terminal.type("2");
  keep("processes", await terminal.untilShows(/LAST ERROR[\s\S]*paused/, SOON));
  await terminal.type("b");
  keep("busiest", await terminal.untilShows(/accumulator\/alice/, SOON));
  await terminal.press("Enter");
  await terminal.untilShows(/LAST COMMITS/, SOON);
  keep("process", await terminal.read());
  await terminal.type("P");
  keep("question", await terminal.untilShows(/Pause .*\? y or n/, SOON));
  await terminal.type("n");
  await terminal.type("o");
  await terminal.type("troublemaker/eve");
  await terminal.press("Enter");
  keep("dead-letters", await terminal.untilShows(/DEAD LETTERS/, SOON));
  await terminal.type("4");
  keep("log", await terminal.untilShows(/session\.registered/, SOON));
  await terminal.type("6");
  keep("functions", await terminal.untilShows(/Ticker +cron/, SOON));
  await terminal.press("End");
  await terminal.press("Enter");
  keep("function", await terminal.untilShows(/completed[\s\S]*ticked at/, SOON));
  await cluster.workers[1]?.kill();
  await terminal.type("5");
  keep("events", await terminal.untilShows(/session\.evicted/, SOON));
  await terminal.type("?");
  keep("help", await terminal.untilShows(/EVERYWHERE/, SOON));
  await terminal.type("?1");
  await terminal.resize(20, 5);
  keep("small", await terminal.untilShows(/api@/, SOON));
  await terminal.resize(100, 30);
  await cluster.redis.kill();
  keep("away", await terminal.untilShows(/Redis is away/, SOON));
  await cluster.redis.restart();
  await cluster.untilReady();
}

const terminal = new Terminal({
  command: [process.execPath, join(ROOT, "sysmon/src/main.ts")],
  env: {
    REDIS_URL: cluster.redisUrl,
    KEY_PREFIX: cluster.keyPrefix,
    API_URL: cluster.urls[0] ?? "",
    SYSMON_WEB: "off",
  },
  columns: 100,
  rows: 30,
});
try {
  await prepare();
  const working = [ALICE, ALICE, "accumulator/bob", "accumulator/carol"].map((pid) => work(pid).catch(() => {}));
  await terminal.start();
  await takePictures(terminal);
  isOver = true;
  await Promise.all(working);
} finally {
  isOver = true;
  await terminal.stop();
  await withFunctions.stop();
}
