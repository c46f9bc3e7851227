/** npm run bench: measures the cluster against the floor, in turns, in the same run, on the same machine. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { parseArguments, USAGE, UsageError } from "./arguments.ts";
import { Bench } from "./bench.ts";
import { WrongCounters } from "./counter-check.ts";
import { describeMachine } from "./machine.ts";
import { formatClients, formatJson, formatTables, type WorkloadResult } from "./report.ts";
import { describeSettings } from "./settings.ts";
import { WORKLOADS } from "./workloads.ts";

async function main(): Promise<void> {
  const { workloads, json, isHelp, ...limits } = parseArguments(process.argv.slice(2));
  if (isHelp) {
    process.stdout.write(USAGE);
    return;
  }
  const settings = { ...limits, ...describeSettings() };
  const machine = await describeMachine();
  const bench = new Bench(limits, console.log);
  stopWhenSignalled(bench);
  const results = new Map<string, WorkloadResult>();
  for (const workload of workloads) {
    console.log(`${workload}: ${WORKLOADS[workload]}`);
    results.set(workload, await bench.run(workload));
  }
  printResults(results);
  mkdirSync(dirname(resolve(json)), { recursive: true });
  const measuredAt = new Date().toISOString();
  writeFileSync(json, formatJson({ measuredAt, machine, settings, ...Object.fromEntries(results) }));
  console.log(`\nwritten to ${json}`);
}

function printResults(results: ReadonlyMap<string, WorkloadResult>): void {
  console.log(`\n${formatTables(results)}`);
  for (const result of results.values()) {
    if ("redisClients" in result && result.redisClients) console.log(`\n${formatClients(result.redisClients)}`);
  }
}

let isLeaving = false;

function stopWhenSignalled(bench: Bench): void {
  const leave = () => {
    if (isLeaving) return;
    isLeaving = true;
    bench.stop().finally(() => process.exit(130));
  };
  process.on("SIGINT", leave);
  process.on("SIGTERM", leave);
}

main().catch((error: unknown) => {
  if (isLeaving) return;
  if (error instanceof UsageError) console.error(`${error.message}\n\n${USAGE}`);
  else if (error instanceof SettingError || error instanceof WrongCounters) console.error(`bench: ${error.message}`);
  else console.error(error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
