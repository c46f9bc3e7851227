/** Makes a Node project runnable: its dependencies as its lock file names them, and every function where it should be. */

import { existsSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BuildOptions } from "./build-options.ts";
import { checkFunctions } from "./check-functions.ts";
import { runCommand } from "./command.ts";
import { ENTRY_WORDS, findEntry } from "./entry.ts";
import { BuildFailure } from "./failure.ts";

const LOCK_FILES = ["package-lock.json", "npm-shrinkwrap.json"];
const INSTALL_WITHIN_MS = 300_000;
const RETRIES = [
  "--fetch-retries=2",
  "--fetch-retry-mintimeout=1000",
  "--fetch-retry-maxtimeout=5000",
  "--fetch-timeout=60000",
];
const NPM_MEMORY_MB = 1_024;

export interface NodeBuildOptions extends BuildOptions {
  allowsScripts: boolean;
  npmRegistry: string | undefined;
}

export async function buildNode(options: NodeBuildOptions): Promise<void> {
  const { tree, log } = options;
  const entry = findEntry(tree, "node");
  if (!entry) throw new BuildFailure("no_entry", `none of ${ENTRY_WORDS} is there`);
  if (await hasDependencies(tree)) await installDependencies(options);
  else log.append("no dependencies to install");
  await checkFunctions(options, entry);
}

async function hasDependencies(tree: string): Promise<boolean> {
  const file = join(tree, "package.json");
  if (!existsSync(file)) return false;
  const { dependencies, optionalDependencies } = await parseObject(file, "package_broken");
  return [dependencies, optionalDependencies].some((names) => Object.keys((names ?? {}) as object).length > 0);
}

async function installDependencies(options: NodeBuildOptions): Promise<void> {
  const { sandboxes, log, tree, uid, processes, allowsScripts, npmRegistry, signal } = options;
  const lock = LOCK_FILES.find((name) => existsSync(join(tree, name)));
  if (!lock) {
    throw new BuildFailure("lock_file_missing", "package.json has dependencies, and there is no package-lock.json");
  }
  await parseObject(join(tree, lock), "lock_file_broken");
  const npm = await findNpm();
  if (!npm) throw new BuildFailure("no_npm", "there is no npm on this machine");
  const folders = [
    { name: "code" as const, source: tree, isWritable: true },
    { name: "npm" as const, source: npm },
  ];
  const limits = { memoryMb: NPM_MEMORY_MB, cpuSeconds: 300, processes, tmpMb: 512 };
  const made = await sandboxes.make({ uid, folders, ...limits, isOnline: true });
  const scripts = allowsScripts ? [] : ["--ignore-scripts"];
  const flags = [
    "ci",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
    ...RETRIES,
    ...scripts,
  ];
  const registry = npmRegistry ? [`--registry=${npmRegistry}`] : [];
  const command = [made.paths.node, join(made.paths.npm, "bin/npm-cli.js"), ...flags, ...registry];
  log.append(`npm ${flags.join(" ")}`);
  // Debian has what its npm imports beside it, where only Debian's own Node looks.
  const env = { NODE_PATH: dirname(npm) };
  const { code, words, ended } = await runCommand({ made, command, withinMs: INSTALL_WITHIN_MS, signal, log, env });
  if (ended) throw new BuildFailure(ended, `npm ci was ended: ${ended}`);
  if (code === 0) return;
  const isBroken = /EUSAGE|EINTEGRITY|EJSONPARSE|lockfileVersion|in sync/.test(words);
  throw new BuildFailure(isBroken ? "lock_file_broken" : "dependencies_failed", `npm ci ended with ${code}: ${words}`);
}

async function parseObject(
  file: string,
  code: "package_broken" | "lock_file_broken",
): Promise<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new Error("it is no object");
  } catch (error) {
    throw new BuildFailure(code, `${file.slice(file.lastIndexOf("/") + 1)}: ${(error as Error).message}`);
  }
}

/** npm's folder: beside Node, or where PATH has it. */
async function findNpm(): Promise<string | undefined> {
  const folders = [dirname(process.execPath), ...(process.env["PATH"] ?? "").split(":")];
  const program = folders.map((folder) => join(folder, "npm")).find((file) => existsSync(file));
  const script = program && (await realpath(program));
  return script?.endsWith("/bin/npm-cli.js") ? dirname(dirname(script)) : undefined;
}
