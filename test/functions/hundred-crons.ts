/**
 * A hundred cron functions with one schedule: when each is recorded as due after the tick, and when it has started.
 *
 *     node test/functions/hundred-crons.ts
 *
 * Prints the times in ms after the tick. Exits with 1 where one was due later than 2 s or started later than 6 s after it.
 */

import assert from "node:assert/strict";
import { until } from "../tools/until.ts";
import { FunctionsCluster } from "./functions-cluster.ts";

const COUNT = 100;
const EVERY_S = 30;
const DUE_WITHIN_MS = 2_000;
const STARTED_WITHIN_MS = 6_000;
const PATIENCE = { withinMs: 120_000, everyMs: 500 };

const names = Array.from({ length: COUNT }, (_, i) => `tick${i}`);
const cluster = new FunctionsCluster({ workers: 2 });
await cluster.start();
try {
  const { project } = await cluster.deploy({
    ".eserveless.yaml": `runtime: node\nfunctions:\n${names.map((name) => `- { name: ${name}, type: cron, schedule: "*/${EVERY_S} * * * * *" }\n`).join("")}`,
    "functions.js": names.map((name) => `exports.${name} = () => console.log("ran");`).join("\n"),
  });
  const tick = await nextTick(project);
  process.stdout.write(`all are due at ${new Date(tick).toISOString()}\n`);
  await until(() => Date.now() > tick + STARTED_WITHIN_MS, { ...PATIENCE, what: "the tick is past" });
  const due: number[] = [];
  const started: number[] = [];
  for (const name of names) {
    const first = await until(() => findStarted(project, name), { ...PATIENCE, what: `${name} has started` });
    due.push(Date.parse(first.dueAt) - tick);
    started.push(Date.parse(first.startedAt ?? "") - tick);
  }
  process.stdout.write(`due:     ${describe(due)}\nstarted: ${describe(started)}\n`);
  if (Math.max(...due) > DUE_WITHIN_MS || Math.max(...started) > STARTED_WITHIN_MS) process.exitCode = 1;
} finally {
  await cluster.stop();
}

async function findStarted(project: string, name: string) {
  const first = (await cluster.readFunction(project, name)).runs.at(-1);
  return first?.startedAt !== undefined && first;
}

/** When all of them are due for the first time: there is time until then, and none has run. */
async function nextTick(project: string): Promise<number> {
  const next = await until(
    async () => {
      const views = await Promise.all(names.map((name) => cluster.readFunction(project, name)));
      const times = new Set(views.map(({ nextAt }) => nextAt));
      const [only] = times;
      return times.size === 1 && only;
    },
    { ...PATIENCE, what: "all functions have one next time" },
  );
  const views = await Promise.all(names.map((name) => cluster.readFunction(project, name)));
  assert.ok(
    views.every(({ counts }) => counts["due"] === undefined),
    "one was due before the others were there; try again",
  );
  return Date.parse(next);
}

function describe(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return `first ${at(0)} ms, half ${at(0.5)} ms, all ${at(1)} ms`;
}
