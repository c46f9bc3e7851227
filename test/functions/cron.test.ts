/** Cron functions on a cluster whose workers are killed: one run for each tick, and what becomes of ticks that were missed. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Redis } from "ioredis";
import { assertNoChildLeft } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { countBoots } from "../tools/worker-killer.ts";
import { FunctionsCluster, type FunctionView } from "./functions-cluster.ts";
import { Gate } from "./gate.ts";
import type { Files, GitRepository } from "./git-repository.ts";

const SOON = { withinMs: 60_000, everyMs: 250 };
const YEARLY = 'schedule: "0 0 1 1 *"';
const SECONDLY = 'schedule: "* * * * * *"';

const gate = new Gate();
const cluster = new FunctionsCluster({ workers: 2 });
let redis: Redis;
let repository: GitRepository;
let project = "";

before(async () => {
  await Promise.all([gate.start(), cluster.start()]);
  redis = cluster.cluster.redis.connect();
  // Longer than a tag, which each function's process has.
  repository = cluster.makeRepository(
    cronProject({
      all: `${SECONDLY}, missed: all`,
      once: SECONDLY,
      skip: `${SECONDLY}, missed: skip`,
      every: 'schedule: "@every 1s", missed: all',
      later: YEARLY,
      berlin: 'schedule: "0 0 1 7 *", timezone: Europe/Berlin',
      kolkata: 'schedule: "15 30 0 1 1 *", timezone: Asia/Kolkata',
    }),
    "x".repeat(70),
  );
  ({ project } = await cluster.deploy(repository));
});

after(async () => {
  await cluster.stop();
  await gate.stop();
  assertNoChildLeft();
});

/** Cron functions with what their manifest says; each asks the gate and prints a line. */
function cronProject(functions: Record<string, string>): Files {
  const names = Object.keys(functions);
  const lines = names.map((name) => `- { name: ${name}, type: cron, ${functions[name]} }\n`);
  const sources = names.map(
    (name) => `exports.${name} = async () => { ${gate.ask(`/${name}`)}; console.log("ran"); };`,
  );
  return { ".eserveless.yaml": `runtime: node\nfunctions:\n${lines.join("")}`, "functions.js": sources.join("\n") };
}

function read(name: string): Promise<FunctionView> {
  return cluster.readFunction(project, name);
}

/** When the function's timer is due next, in ms since the epoch; undefined where it has none. */
async function readTimer(name: string): Promise<number | undefined> {
  for (const key of await redis.keys(`*functions.function/${project}~${name}*`)) {
    if ((await redis.type(key)) !== "hash") continue;
    const text = await redis.hget(key, "t:tick");
    if (text) return (JSON.parse(text) as { dueAt: number }).dueAt;
  }
  return undefined;
}

/** The timer and how many runs it has made due, of one commit. */
async function readTicks(name: string): Promise<{ dueAt: number; due: number }> {
  return until(
    async () => {
      const dueAt = await readTimer(name);
      const { due = 0 } = (await read(name)).counts;
      return dueAt !== undefined && dueAt === (await readTimer(name)) && { dueAt, due };
    },
    { ...SOON, everyMs: 10, what: `the ticks of ${name} stand still for a moment` },
  );
}

/** Ticks between two moments that have made no run due; below zero where one made two. */
async function countMissing(name: string, before: { dueAt: number; due: number }): Promise<number> {
  const now = await readTicks(name);
  return (now.dueAt - before.dueAt) / 1_000 - (now.due - before.due);
}

async function countPrinted(name: string): Promise<number> {
  return (await cluster.readLog(project, name)).filter(({ text }) => text === "ran").length;
}

async function untilTicked(name: string): Promise<void> {
  const { due = 0 } = (await read(name)).counts;
  await until(async () => ((await read(name)).counts["due"] ?? 0) > due, { ...SOON, what: `${name} is due again` });
}

test("over kills of workers each tick is one run: none is lost, none comes twice", async () => {
  await untilTicked("all");
  const before = { all: await readTicks("all"), every: await readTicks("every") };
  for (const worker of [...cluster.cluster.workers, ...cluster.cluster.workers.slice(0, 1)]) {
    const boots = countBoots(worker);
    await untilTicked("all");
    await worker.kill();
    await worker.start();
    await until(() => countBoots(worker) > boots, { ...SOON, what: `${worker.name} is back` });
  }
  await untilTicked("all");
  for (const name of ["all", "every"] as const) {
    assert.equal(await countMissing(name, before[name]), 0, name);
    const isEven = async () => {
      const { due = 0, completed = 0 } = (await read(name)).counts;
      return due === completed && (await countPrinted(name)) === completed;
    };
    await until(isEven, { ...SOON, what: `each run of ${name} has printed one line` });
  }
});

test("ticks that nobody was there for are made up for all, once or not, as the manifest says", async () => {
  await untilTicked("skip");
  const names = ["all", "once", "skip"] as const;
  const before = { all: await readTicks("all"), once: await readTicks("once"), skip: await readTicks("skip") };
  const { workers } = cluster.cluster;
  const boots = workers.map(countBoots);
  await Promise.all(workers.map((worker) => worker.kill()));
  const longAfter = Date.now() + 4_000;
  await until(() => Date.now() > longAfter, { ...SOON, what: "some ticks go by" });
  await Promise.all(workers.map((worker) => worker.start()));
  await until(() => workers.every((worker, i) => countBoots(worker) > (boots[i] ?? 0)), SOON);
  for (const name of names) await untilTicked(name);
  assert.equal(await countMissing("all", before.all), 0);
  const [once, skip] = [await countMissing("once", before.once), await countMissing("skip", before.skip)];
  assert.ok(once >= 2, `${once} were left out`);
  assert.ok(skip >= 3, `${skip} were left out`);
});

test("while a run is under way no other begins, unless they may overlap; one waits, or all, or none", async () => {
  gate.shut();
  repository.commit(
    cronProject({
      all: `${SECONDLY}, missed: all`,
      once: SECONDLY,
      skip: `${SECONDLY}, missed: skip`,
      wide: `${SECONDLY}, overlap: true, concurrency: 3`,
      later: SECONDLY,
    }),
  );
  // The old ones are at the gate already, or were not under way.
  await cluster.deploy(repository);
  const untilActive = (name: string, wanted: (statuses: string[]) => boolean) => {
    const isWanted = async () => {
      const { runs } = await read(name);
      return wanted(runs.map(({ status }) => status).filter((status) => status === "running" || status === "due"));
    };
    return until(isWanted, { ...SOON, what: `runs of ${name} are ${wanted}` });
  };
  await untilActive("wide", (statuses) => statuses.filter((status) => status === "running").length === 3);
  await untilActive("all", (statuses) => statuses.length >= 3);
  const skippedOf = async (name: string) => (await read(name)).counts["skipped"] ?? 0;
  await until(async () => (await skippedOf("skip")) > 0 && (await skippedOf("once")) > 0, SOON);
  await untilActive("once", (statuses) => statuses.join() === "due,running");
  await untilActive("skip", (statuses) => statuses.join() === "running");
  const { runs } = await read("all");
  assert.equal(runs.filter(({ status }) => status === "running").length, 1);
  assert.equal(await skippedOf("all"), 0);
  const before = (await read("all")).counts["completed"] ?? 0;
  gate.open();
  const isMadeUp = async () => ((await read("all")).counts["completed"] ?? 0) >= before + 3;
  await until(isMadeUp, { ...SOON, what: "what waited is made up for" });
});

test("a changed schedule is due at once, one that is gone never again; time zones hold", async () => {
  await untilTicked("later");
  assert.equal((await cluster.ask("GET", `/api/projects/${project}/functions/every`)).status, 404);
  await until(async () => (await readTimer("every")) === undefined, { ...SOON, what: "its timer has gone with it" });
  repository.commit(
    cronProject({
      all: YEARLY,
      berlin: 'schedule: "0 0 1 7 *", timezone: Europe/Berlin',
      kolkata: 'schedule: "15 30 0 1 1 *", timezone: Asia/Kolkata',
    }),
  );
  await cluster.deploy(repository);
  const isNewYear = async () => {
    const at = new Date((await readTimer("all")) ?? 0);
    return at.getUTCMonth() === 0 && at.getUTCDate() === 1 && at.getTime() > Date.now();
  };
  await until(isNewYear, { ...SOON, what: "it is due next year" });
  await untilNext("all", /-01-01T00:00:00\.000Z$/);
  await untilNext("berlin", /-06-30T22:00:00\.000Z$/);
  await untilNext("kolkata", /-12-31T19:00:15\.000Z$/);
});

async function untilNext(name: string, match: RegExp): Promise<void> {
  await until(async () => match.test((await read(name)).nextAt ?? ""), {
    ...SOON,
    what: `${name} is next at ${match}`,
  });
}
