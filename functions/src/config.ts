/** The settings of the functions service, from the environment. */

import { totalmem } from "node:os";
import { resolve } from "node:path";
import { readFunctionsToken } from "@genserverless/shared/functions/access.ts";
import { readInteger, readText, SettingError } from "@genserverless/shared/service/env.ts";

type Environment = Record<string, string | undefined>;

export interface FunctionsSettings {
  host: string;
  /** 0 asks for any free port. */
  port: number;
  /** Whoever calls must know it. */
  token: string;
  dataDir: string;
  /** Hosts that repositories may come from. */
  gitHosts: string[];
  /** Folders under which repositories may lie on this machine's disk. */
  gitFolders: string[];
  sshKeyFile: string | undefined;
  mostRepositoryBytes: number;
  mostBuildBytes: number;
  buildsAtOnce: number;
  allowsScripts: boolean;
  npmRegistry: string | undefined;
  /** The path of Go, `off`, or empty for the one on PATH. */
  goProgram: string;
  /** Where modules come from. */
  goProxy: string;
  mostSandboxes: number;
  mostStarting: number;
  mostWaiting: number;
  idleMs: number;
  /** Functions have no network at all. */
  isOffline: boolean;
  /** Whether sandboxes may be made of namespaces, where the kernel lets us. */
  namespaces: boolean;
  /** Of the first project; each has its own. */
  firstUid: number;
}

const MB = 1_048_576;
/** What a sandbox takes that does little. */
const SMALL_SANDBOX_BYTES = 64 * MB;

export function readFunctionsSettings(env: Environment): FunctionsSettings {
  const token = readFunctionsToken(env);
  if (token === undefined)
    throw new SettingError(
      "FUNCTIONS_TOKEN, or FUNCTIONS_TOKEN_FILE, must be set, to 16 visible ASCII characters or more",
    );
  // Of a container its own limit counts.
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const room = Math.max(8, Math.min(256, Math.floor(memoryBytes / 2 / SMALL_SANDBOX_BYTES)));
  return {
    host: readText(env, "HOST", "127.0.0.1"),
    port: readInteger(env, "FUNCTIONS_PORT", 3_100, 0, 65_535),
    token,
    dataDir: resolve(readText(env, "FUNCTIONS_DIR", ".data/functions")),
    gitHosts: readList(env, "FUNCTIONS_GIT_HOSTS", "github.com", ",").map((host) => host.toLowerCase()),
    gitFolders: readList(env, "FUNCTIONS_GIT_FOLDERS", "", ":"),
    sshKeyFile: readText(env, "FUNCTIONS_SSH_KEY_FILE", "") || undefined,
    mostRepositoryBytes: readInteger(env, "FUNCTIONS_REPOSITORY_MB", 100, 1, 10_000) * MB,
    mostBuildBytes: readInteger(env, "FUNCTIONS_BUILD_MB", 500, 1, 100_000) * MB,
    buildsAtOnce: readInteger(env, "FUNCTIONS_BUILDS", 2, 1, 64),
    allowsScripts: readSwitch(env, "FUNCTIONS_NPM_SCRIPTS", "off"),
    npmRegistry: readText(env, "FUNCTIONS_NPM_REGISTRY", "") || undefined,
    goProgram: readText(env, "FUNCTIONS_GO", ""),
    goProxy: readText(env, "FUNCTIONS_GO_PROXY", "https://proxy.golang.org"),
    mostSandboxes: readInteger(env, "FUNCTIONS_SANDBOXES", room, 1, 10_000),
    mostStarting: readInteger(env, "FUNCTIONS_STARTING", 4, 1, 256),
    mostWaiting: readInteger(env, "FUNCTIONS_WAITING", 100, 0, 100_000),
    idleMs: readInteger(env, "FUNCTIONS_IDLE_MS", 90_000, 0, 86_400_000),
    isOffline: !readSwitch(env, "FUNCTIONS_NETWORK", "on"),
    namespaces: readSwitch(env, "FUNCTIONS_NAMESPACES", "on"),
    firstUid: readInteger(env, "FUNCTIONS_FIRST_UID", 52_000, 1_000, 4_000_000_000),
  };
}

function readList(env: Environment, name: string, fallback: string, separator: string): string[] {
  const parts = readText(env, name, fallback).split(separator);
  return parts.map((part) => part.trim()).filter(Boolean);
}

function readSwitch(env: Environment, name: string, fallback: "on" | "off"): boolean {
  const text = readText(env, name, fallback);
  if (text === "on" || text === "off") return text === "on";
  throw new SettingError(`${name} must be on or off, not ${JSON.stringify(text)}`);
}
