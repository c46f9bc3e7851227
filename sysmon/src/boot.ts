/** A sysmon node: it looks at the cluster, and shows what it sees on its terminal and on its web page. */

import { checkFoundation, FoundationError } from "@genserverless/shared/cluster/foundation.ts";
import { createNode } from "@genserverless/shared/cluster/node.ts";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { Lifecycle, type Part, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { readConfig } from "./config.ts";
import { Printer } from "./terminal/printer.ts";
import { Watch } from "./watch.ts";
import { createApp } from "./web/app.ts";
import { WebServer } from "./web/server.ts";

const STDERR = 2;

/** The skins come first: they have something to say while Redis is still awaited. */
function createSysmon(env: Record<string, string | undefined>): Part {
  const config = readConfig(env);
  const settings = readClusterSettings(env);
  // stdout is the picture's.
  const log = createLog(`sysmon@${settings.nodeName}`, env, STDERR);
  const node = createNode("sysmon", settings, log);
  const { link, keys, events } = node;
  const snapshot = new Snapshot(link, keys);
  const readCluster = async () => {
    await link.untilUp();
    return snapshot.readCluster();
  };
  const watch = new Watch({ readCluster, events });
  return new Lifecycle([
    new WebServer({ ...config, app: createApp({ watch, events, servedBy: node.name }), events }),
    new Printer({ watch, output: process.stdout, events }),
    link,
    { start: () => checkFoundation(link, keys), stop: async () => {} },
    node.join(),
  ]);
}

function report(error: unknown): void {
  const isExpected = error instanceof SettingError || error instanceof FoundationError;
  console.error(`sysmon: ${isExpected ? error.message : ((error as Error).stack ?? error)}`);
}

try {
  await runUntilSignalled(createSysmon(process.env), report);
} catch (error) {
  report(error);
  process.exitCode = 1;
}
