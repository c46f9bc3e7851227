/** npm run sysmon: the dashboard of the cluster that npm start runs from the same DATA_DIR, on this terminal. */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SettingError } from "@genserverless/shared/service/env.ts";
import { type LocalSettings, readSettings, root } from "./settings.ts";

type Environment = Record<string, string | undefined>;

/** Where the running cluster's Redis and API are. */
function describeRunning({ dataDir, redisUrl, lbHost, lbPort }: LocalSettings): Environment {
  const api = { API_URL: `http://${lbHost === "0.0.0.0" ? "127.0.0.1" : lbHost}:${lbPort}` };
  if (redisUrl) return { ...api, REDIS_URL: redisUrl };
  const config = join(dataDir, "redis.conf");
  const port = existsSync(join(dataDir, "lock")) ? /^port (\d+)$/m.exec(readFileSync(config, "utf8"))?.[1] : undefined;
  if (port === undefined) throw new SettingError(`no cluster runs from DATA_DIR ${dataDir}; begin one with npm start`);
  const password = join(dataDir, "redis-password");
  return { ...api, REDIS_URL: undefined, REDIS_HOST: "127.0.0.1", REDIS_PORT: port, REDIS_PASSWORD_FILE: password };
}

function main(): void {
  const env = { SYSMON_WEB: "off", ...process.env, ...describeRunning(readSettings(process.env)) };
  const child = spawn(process.execPath, [join(root, "sysmon/src/main.ts")], { env, stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

try {
  main();
} catch (error) {
  console.error(`npm run sysmon: ${error instanceof SettingError ? error.message : (error as Error).stack}`);
  process.exitCode = 1;
}
