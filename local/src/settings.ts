import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { type ClusterSettings, readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { readFunctionsAccess, readFunctionsToken } from "@genserverless/shared/functions/access.ts";
import { readAddress, readInteger, readText, readToken, SettingError } from "@genserverless/shared/service/env.ts";
import { readAllowedHosts } from "@genserverless/shared/service/hosts.ts";
import { readRemoteSettings } from "@genserverless/shared/service/remote-settings.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";

export const root = resolve(import.meta.dirname, "../..");

type Environment = Record<string, string | undefined>;

export const DEFAULT_GATEWAY_PORT = 9_000;

/** Whether there are functions: `own` starts their service, at a free port where that is 0; `given` is there already. */
export type FunctionsChoice = { kind: "own"; port: number } | { kind: "given" } | { kind: "off" };

export interface LocalSettings {
  lbHost: string;
  lbPort: number;
  sysmonPort: number;
  /** 0 takes a free port, also for redisPort. */
  statsPort: number;
  redisPort: number;
  /** A Redis that is there already; none is started then. */
  redisUrl: string | undefined;
  redisMaxmemory: string;
  appendfsync: string;
  apiReplicas: number;
  workerReplicas: number;
  gatewayReplicas: number;
  gatewayHost: string;
  /** Undefined for the usual one, or a free one where that is taken. */
  gatewayPort: number | undefined;
  /** `host:port`. */
  userFunction: string;
  functions: FunctionsChoice;
  dataDir: string;
  modulesDir: string;
  /** What every node reads by itself; read here too, so that a bad value is told once and at once. */
  cluster: ClusterSettings;
}

const DESCRIPTIONS = [
  ["LB_HOST", "127.0.0.1", "address of the load balancer"],
  ["LB_PORT", "8080", "its port: the cluster's HTTP API"],
  ["SYSMON_PORT", "5984", "port of the system monitor's page, on loopback"],
  ["SYSMON_TOKEN", "made, kept in DATA_DIR", "what signs in to that page, 16 characters or more"],
  ["STATS_PORT", "a free one", "port of the load balancer's statistics page, on loopback"],
  ["API_REPLICAS", "2", "api nodes"],
  ["WORKER_REPLICAS", "2", "worker nodes"],
  ["GATEWAY_REPLICAS", "1", "gateway nodes, for user functions; all share one port"],
  ["GATEWAY_HOST", "127.0.0.1", "address of the gateway"],
  [
    "GATEWAY_PORT",
    "9000",
    "port of the gateway, bound once the user function has answered; a free one if it is taken and was not asked for",
  ],
  ["USER_FUNCTION", "127.0.0.1:8090", "where the user function is"],
  ["FUNCTIONS", "on", "off: no functions are deployed and run"],
  ["FUNCTIONS_GIT_HOSTS", "github.com", "hosts that functions may be deployed from: a.example,b.example"],
  ["FUNCTIONS_GIT_FOLDERS", "/", "folders below which repositories of this machine may be deployed, separated by :"],
  ["FUNCTIONS_NETWORK", "on", "off: functions have no network"],
  ["FUNCTIONS_WEBHOOK_SECRET", "", "what a git host signs its push events with, 16 characters or more"],
  ["FUNCTIONS_PORT", "a free one", "port of the functions service, on loopback"],
  ["FUNCTIONS_URL", "", "a functions service that is there already, which knows FUNCTIONS_TOKEN"],
  ["MODULES_DIR", "modules", "folders of modules, separated by :"],
  ["STATE_STORES", "", "stores beside Redis: cold=postgres://user:password@host/db;…"],
  ["REMOTE_MODULES", "", "URLs of web apps that have modules mounted, with spaces or commas between them"],
  ["REMOTE_SECRET", "", "what these apps share with the cluster, 16 characters or more"],
  ["DATA_DIR", ".data", "folder of the cluster's data, password and logs; one cluster at a time"],
  ["REDIS_URL", "", "a Redis that is there already: redis://[:password@]host[:port]"],
  ["REDIS_PORT", "a free one", "port of the Redis that is started, on loopback"],
  ["REDIS_MAXMEMORY", "half of the machine", "its limit, e.g. 512mb or 4gb"],
  ["APPENDFSYNC", "everysec", "everysec, or always: a crash of Redis then loses nothing"],
  ["NODE_NAME", "the host's name", "nodes are named after it: NAME-1, NAME-2 …"],
  ["PARTITIONS", "64", "fixed when the cluster is created"],
  ["KEY_PREFIX", "gs", "prefix of every key in Redis"],
  ["SESSION_TTL_MS", "6000", "silence after which a node counts as dead"],
  ["API_TOKEN", "", "bearer token that callers must send"],
  ["ALLOWED_HOSTS", "", "names with a dot under which the API and the page may be called: a.example,b.example"],
  ["LOG_LEVEL", "info", "trace, debug, info, warn, error, fatal or silent"],
] as const;

export const help = `npm start: the whole cluster on this machine, without Docker.

Settings are environment variables:

${DESCRIPTIONS.map(([name, value, text]) => `  ${name.padEnd(24)} ${text}${value && ` (${value})`}`).join("\n")}

Ctrl-C stops everything; a second Ctrl-C does not wait for calls in flight.
`;

export function readSettings(env: Environment): LocalSettings {
  readChoice(env, "LOG_LEVEL", ["info", "trace", "debug", "warn", "error", "fatal", "silent"]);
  readStoreSettings(env);
  readRemoteSettings(env);
  readAllowedHosts(env);
  readToken(env, "SYSMON_TOKEN");
  readToken(env, "SYSMON_READ_TOKEN");
  return {
    lbHost: readText(env, "LB_HOST", "127.0.0.1"),
    lbPort: readInteger(env, "LB_PORT", 8080, 1, 65_535),
    sysmonPort: readInteger(env, "SYSMON_PORT", 5984, 1, 65_535),
    statsPort: readInteger(env, "STATS_PORT", 0, 0, 65_535),
    redisPort: readInteger(env, "REDIS_PORT", 0, 0, 65_535),
    redisUrl: readText(env, "REDIS_URL", "") || undefined,
    redisMaxmemory: readMemory(env, "REDIS_MAXMEMORY", String(Math.floor(totalmem() / 2))),
    appendfsync: readChoice(env, "APPENDFSYNC", ["everysec", "always"]),
    apiReplicas: readInteger(env, "API_REPLICAS", 2, 1, 20),
    workerReplicas: readInteger(env, "WORKER_REPLICAS", 2, 1, 64),
    gatewayReplicas: readInteger(env, "GATEWAY_REPLICAS", 1, 0, 20),
    gatewayHost: readText(env, "GATEWAY_HOST", "127.0.0.1"),
    gatewayPort: env["GATEWAY_PORT"]?.trim()
      ? readInteger(env, "GATEWAY_PORT", DEFAULT_GATEWAY_PORT, 1, 65_535)
      : undefined,
    userFunction: readAddress(env, "USER_FUNCTION", "127.0.0.1:8090"),
    functions: readFunctionsChoice(env),
    dataDir: resolve(root, readText(env, "DATA_DIR", ".data")),
    modulesDir: readFolders(readText(env, "MODULES_DIR", join(root, "modules"))),
    cluster: readClusterSettings({ ...env, REDIS_PASSWORD_FILE: undefined }),
  };
}

function readFunctionsChoice(env: Environment): FunctionsChoice {
  if (readChoice(env, "FUNCTIONS", ["on", "off"]) === "off") return { kind: "off" };
  if (readFunctionsAccess(env)) return { kind: "given" };
  readFunctionsToken(env);
  return { kind: "own", port: readInteger(env, "FUNCTIONS_PORT", 0, 0, 65_535) };
}

/** Where callers find the cluster. */
export function urlOf({ lbHost, lbPort }: LocalSettings): string {
  return `http://${lbHost === "0.0.0.0" ? "127.0.0.1" : lbHost}:${lbPort}`;
}

function readFolders(text: string): string {
  const folders = text.split(":").filter(Boolean);
  return folders.map((folder) => resolve(root, folder)).join(":");
}

function readChoice(env: Environment, name: string, choices: [string, ...string[]]): string {
  const text = readText(env, name, choices[0]);
  if (choices.includes(text)) return text;
  throw new SettingError(`${name} must be ${choices.join(" or ")}, not ${JSON.stringify(text)}`);
}

function readMemory(env: Environment, name: string, fallback: string): string {
  const text = readText(env, name, fallback);
  if (/^[1-9]\d*([kmg]b?)?$/i.test(text)) return text;
  throw new SettingError(`${name} must be a size like 512mb or 4gb, not ${JSON.stringify(text)}`);
}
