/** The functions service of npm start: what it is given, and what is told of it to those who call it. */

import { join } from "node:path";
import { SettingError } from "@genserverless/shared/service/env.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { DataDir } from "./data-dir.ts";
import { ensureServers } from "./servers.ts";
import { type LocalSettings, root } from "./settings.ts";

type Environment = Record<string, string | undefined>;

/**
 * Of the environment of npm start, beside all that begins with `FUNCTIONS_`: nothing that says where Redis is, and no
 * secret of anything else.
 */
const PASSED_ON = [
  ...["PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "NODE_ENV", "LOG_LEVEL", "DATA_DIR"],
  ...["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"],
];

/** Undefined where none is started. `port` is where it is to listen. */
export function describeService(
  { functions }: LocalSettings,
  env: Environment,
  dataDir: DataDir,
  port: number,
): Environment | undefined {
  if (functions.kind !== "own") return undefined;
  const names = [...PASSED_ON, ...Object.keys(env).filter((name) => name.startsWith("FUNCTIONS_"))];
  return {
    FUNCTIONS_GIT_FOLDERS: "/",
    FUNCTIONS_DIR: dataDir.file("functions"),
    ...Object.fromEntries(names.map((name) => [name, env[name]])),
    ...nameTokenFile(env, dataDir),
    HOST: "127.0.0.1",
    FUNCTIONS_PORT: String(port),
    FUNCTIONS_WEBHOOK_SECRET: undefined,
    NODE_COMPILE_CACHE: join(root, ".cache/compile"),
  };
}

/** What apis and workers get: where the functions are, and the modules that deploy and run them. */
export function describeFunctions(
  { functions, modulesDir }: LocalSettings,
  env: Environment,
  dataDir: DataDir,
  port: number,
): Environment {
  if (functions.kind === "off") return { FUNCTIONS_URL: undefined };
  const modules = { MODULES_DIR: `${modulesDir}:${join(root, "functions/modules")}` };
  if (functions.kind === "given") return modules;
  return { ...modules, FUNCTIONS_URL: `http://127.0.0.1:${port}`, ...nameTokenFile(env, dataDir) };
}

/** The token that was given, in a file or as it is, or one that is made here. */
function nameTokenFile(env: Environment, dataDir: DataDir): Environment {
  const isGiven = env["FUNCTIONS_TOKEN"]?.trim() || env["FUNCTIONS_TOKEN_FILE"]?.trim();
  return isGiven ? {} : { FUNCTIONS_TOKEN_FILE: dataDir.functionsTokenFile() };
}

/** Git is installed where this user may; without it there is a cluster that deploys nothing, and says why when it is asked to. */
export async function ensureGit(events: Events): Promise<void> {
  try {
    await ensureServers(["git"]);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    events.emit("warn", "git.missing", { error: error.message });
  }
}
