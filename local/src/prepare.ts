/** Everything that must be settled before the first child runs: programs, the data folder, ports, configurations. */

import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { renderConfig } from "@genserverless/haproxy/render.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { DataDir } from "./data-dir.ts";
import { describeFunctions, describeService, ensureGit } from "./functions-service.ts";
import { type PlannedChild, planChildren } from "./plan.ts";
import { findFreePorts, isPortFree, requireFreePort } from "./ports.ts";
import { writeRedisConfig } from "./redis-server.ts";
import { ensureServers } from "./servers.ts";
import { DEFAULT_GATEWAY_PORT, type LocalSettings, root, urlOf } from "./settings.ts";

type Environment = Record<string, string | undefined>;

interface Ports {
  stats: number;
  redis: number;
  apis: number[];
  gateway: number;
  functions: number;
}

export interface Preparation {
  children: PlannedChild[];
  /** What every node gets; tells where Redis is. */
  env: Environment;
  /** Sysmon's page; signs in where the token was made here. */
  consoleUrl: string;
  /** The port of the Redis that is to be started. */
  redisPort: number | undefined;
  /** That of the functions service. */
  functionsPort: number | undefined;
}

export async function prepareCluster(
  settings: LocalSettings,
  env: Environment,
  dataDir: DataDir,
  events: Events,
): Promise<Preparation> {
  const leftovers = await dataDir.open();
  if (leftovers.length > 0) events.emit("warn", "leftovers.ended", { children: leftovers });
  const ports = await choosePorts(settings, events);
  const programs = await ensureServers(settings.redisUrl ? ["haproxy"] : ["haproxy", "redis-server"]);
  if (settings.functions.kind === "own") await ensureGit(events);
  const nodeEnv = {
    ...env,
    ...describeCluster(settings),
    ...describeRedis(settings, dataDir, ports.redis),
    ...describeFunctions(settings, env, dataDir, ports.functions),
  };
  const given = env["SYSMON_TOKEN"]?.trim();
  const sysmonToken = given || dataDir.sysmonToken();
  const children = planChildren({
    redis: settings.redisUrl
      ? undefined
      : { program: programs["redis-server"], config: configureRedis(settings, dataDir, ports.redis) },
    haproxy: { program: programs.haproxy, config: configureHaproxy(settings, dataDir, ports) },
    apiPorts: ports.apis,
    workers: settings.workerReplicas,
    gateways: { replicas: settings.gatewayReplicas, host: settings.gatewayHost, port: ports.gateway },
    nodeName: env["NODE_NAME"]?.trim() || hostname(),
    env: nodeEnv,
    sysmonEnv: { API_URL: urlOf(settings), SYSMON_TOKEN: sysmonToken },
    functionsEnv: describeService(settings, env, dataDir, ports.functions),
  });
  const consoleUrl = `http://127.0.0.1:${settings.sysmonPort}/${given ? "" : `#token=${sysmonToken}`}`;
  return {
    children,
    env: nodeEnv,
    consoleUrl,
    redisPort: settings.redisUrl ? undefined : ports.redis,
    functionsPort: settings.functions.kind === "own" ? ports.functions : undefined,
  };
}

/** Those that were asked for must be free; the others are whichever are. */
async function choosePorts(settings: LocalSettings, events: Events): Promise<Ports> {
  const { lbHost, lbPort, sysmonPort, statsPort, redisPort, redisUrl, apiReplicas } = settings;
  const functionsPort = settings.functions.kind === "own" ? settings.functions.port : 0;
  await requireFreePort("LB_PORT", lbHost, lbPort);
  await requireFreePort("SYSMON_PORT", "127.0.0.1", sysmonPort);
  if (statsPort) await requireFreePort("STATS_PORT", "127.0.0.1", statsPort);
  if (redisPort && !redisUrl) await requireFreePort("REDIS_PORT", "127.0.0.1", redisPort);
  if (functionsPort) await requireFreePort("FUNCTIONS_PORT", "127.0.0.1", functionsPort);
  const gateway = await chooseGatewayPort(settings, events);
  const spokenFor = [lbPort, sysmonPort, statsPort, redisPort, functionsPort, gateway];
  const [stats = 0, redis = 0, functions = 0, ...apis] = await findFreePorts(3 + apiReplicas, spokenFor);
  return {
    stats: statsPort || stats,
    redis: redisPort || redis,
    functions: functionsPort || functions,
    apis,
    gateway,
  };
}

/** A second cluster on this machine that was told nothing of a gateway gets one where there is room. */
async function chooseGatewayPort(settings: LocalSettings, events: Events): Promise<number> {
  const { gatewayReplicas, gatewayHost: host, gatewayPort = DEFAULT_GATEWAY_PORT } = settings;
  if (gatewayReplicas === 0) return gatewayPort;
  if (settings.gatewayPort !== undefined || (await isPortFree(host, gatewayPort))) {
    await requireFreePort("GATEWAY_PORT", host, gatewayPort);
    return gatewayPort;
  }
  const [port = 0] = await findFreePorts(1, [settings.lbPort, settings.sysmonPort]);
  events.emit("warn", "gateway.moved", { from: gatewayPort, to: port, host, setting: "GATEWAY_PORT" });
  return port;
}

function configureRedis(settings: LocalSettings, dataDir: DataDir, port: number): string {
  const { redisMaxmemory: maxmemory, appendfsync } = settings;
  return writeRedisConfig(dataDir, { port, maxmemory, appendfsync });
}

function configureHaproxy({ lbHost, lbPort }: LocalSettings, dataDir: DataDir, { stats, apis }: Ports): string {
  const file = dataDir.file("haproxy.cfg");
  const addresses = apis.map((port) => `127.0.0.1:${port}`);
  writeFileSync(file, renderConfig({ bind: `${lbHost}:${lbPort}`, statsBind: `127.0.0.1:${stats}`, apis: addresses }));
  return file;
}

function describeCluster({ modulesDir, sysmonPort, userFunction }: LocalSettings): Environment {
  return {
    USER_FUNCTION: userFunction,
    MODULES_DIR: modulesDir,
    SYSMON_PORT: String(sysmonPort),
    NODE_COMPILE_CACHE: join(root, ".cache/compile"),
  };
}

function describeRedis({ redisUrl }: LocalSettings, dataDir: DataDir, port: number): Environment {
  if (redisUrl) return { REDIS_URL: redisUrl };
  return {
    REDIS_URL: undefined,
    REDIS_HOST: "127.0.0.1",
    REDIS_PORT: String(port),
    REDIS_PASSWORD_FILE: dataDir.passwordFile(),
  };
}
