/** A sysmon node: it looks at the cluster, and shows what it sees on its terminal and on its web page. */

import { checkFoundation, FoundationError } from "@genserverless/shared/cluster/foundation.ts";
import { createNode } from "@genserverless/shared/cluster/node.ts";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { Lifecycle, type Part, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { ApiClient } from "./api-client.ts";
import { watchCommits } from "./commit-feed.ts";
import { readConfig } from "./config.ts";
import { createFunctionEyes } from "./functions.ts";
import { History } from "./history.ts";
import { followLog } from "./log-follower.ts";
import { createEyes } from "./terminal/eyes.ts";
import { createSkin, isFullScreen } from "./terminal/skin.ts";
import { Watch } from "./watch.ts";

const STDERR = 2;

/**
 * The skins come first: they have something to say while Redis is still awaited. Only those that are wanted are loaded: a
 * sysmon boots faster without.
 */
async function createSysmon(env: Record<string, string | undefined>): Promise<Part> {
  const config = readConfig(env);
  const settings = readClusterSettings(env);
  // stdout is the picture's; and where the dashboard has the whole terminal, stderr too.
  const isTaken = isFullScreen(env) && process.stderr.isTTY;
  const shipper = new LogShipper();
  const log = createLog(
    `sysmon@${settings.nodeName}`,
    isTaken ? { ...env, LOG_LEVEL: "silent" } : env,
    STDERR,
    shipper,
  );
  const node = createNode("sysmon", settings, log, shipper);
  const { link, keys, events } = node;
  const snapshot = new Snapshot(link, keys);
  const readCluster = async () => {
    await link.untilUp();
    return snapshot.readCluster();
  };
  const watch = new Watch({ readCluster, events, beatMs: 500 });
  const history = new History({ watch });
  const logs = followLog(new LogFeed(link, keys));
  const api = new ApiClient({ url: config.apiUrl, token: config.apiToken });
  const functions = createFunctionEyes(api);
  const skin = await createSkin({
    env,
    watch,
    history,
    events,
    logs,
    api,
    eyes: createEyes(snapshot, link, keys),
    functions,
    watchCommits: (pid, onCommit) => watchCommits({ api, pid }, onCommit),
    onLeave: () => process.kill(process.pid, "SIGTERM"),
  });
  const openConsole = async () => {
    const { createConsole } = await import("./web/console.ts");
    return createConsole({ ...node, config, env, watch, history, logs, api, functions, snapshot });
  };
  return new Lifecycle([
    ...(config.hasWeb ? [await openConsole()] : []),
    history,
    { start: async () => {}, stop: () => api.close() },
    skin,
    link,
    shipper,
    { start: () => checkFoundation(link, keys), stop: async () => {} },
    ...(config.hasWeb ? [node.join()] : []),
  ]);
}

function report(error: unknown): void {
  const isExpected = error instanceof SettingError || error instanceof FoundationError;
  console.error(`sysmon: ${isExpected ? error.message : ((error as Error).stack ?? error)}`);
}

try {
  await runUntilSignalled(await createSysmon(process.env), report);
} catch (error) {
  report(error);
  process.exitCode = 1;
}
