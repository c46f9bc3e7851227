/** npm start. */

import { parseArgs } from "node:util";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { Events, logEvents } from "@genserverless/shared/service/events.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { Cluster, StartError } from "./cluster.ts";
import { help, readSettings } from "./settings.ts";

/** One Ctrl-C arrives several times: from the terminal, from npm and from with-node.cjs. */
const SAME_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: "boolean", short: "h" } } });
  if (values.help) return void process.stdout.write(help);
  // Whoever read the output may leave before the cluster does.
  process.stdout.on("error", () => {});
  const settings = readSettings(process.env);
  const events = new Events();
  logEvents(events, createLog("npm-start"));
  const print = (line: string) => process.stdout.write(`${line}\n`);
  const cluster = new Cluster({ settings, env: process.env, events, print });
  stopWhenTold(cluster);
  try {
    await cluster.start();
    if (isLeaving) return;
    print(`console ${cluster.consoleUrl}`);
    print(`ready ${cluster.url}`);
  } catch (error) {
    if (isLeaving) return;
    await cluster.stop();
    fail(error);
  }
}

let isLeaving = false;

function stopWhenTold(cluster: Cluster): void {
  let toldAt = 0;
  const leave = () => {
    const isFirst = !isLeaving;
    if (!isFirst && performance.now() - toldAt > SAME_SIGNAL_MS) return cluster.kill();
    if (!isFirst) return;
    isLeaving = true;
    toldAt = performance.now();
    cluster.stop().then(() => process.exit(0), fail);
  };
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, leave);
  watchParent(leave);
}

/** with-node.cjs stays for as long as this runs: another parent means that it was killed. */
function watchParent(leave: () => void): void {
  const parent = process.ppid;
  if (process.env["BOOTSTRAP_PID"] !== String(parent)) return;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    leave();
  }, PARENT_POLL_MS);
}

function report(error: unknown): void {
  const { message, stack, code } = error as NodeJS.ErrnoException;
  const isExpected = error instanceof SettingError || error instanceof StartError || code?.startsWith("ERR_PARSE_ARGS");
  console.error(`npm start: ${isExpected ? message : stack}`);
}

function fail(error: unknown): never {
  report(error);
  process.exit(1);
}

main().catch(fail);
