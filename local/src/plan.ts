/** Which children make up the cluster, from first to last. */

import { join } from "node:path";
import type { ChildOptions } from "./child.ts";
import { root } from "./settings.ts";

export type Role = "redis" | "lb" | "api" | "worker" | "gateway" | "sysmon" | "functions";

export type PlannedChild = Omit<ChildOptions, "log" | "onStarted" | "onExit"> & { role: Role };

export interface Plan {
  /** Its path and its configuration; absent where there is a Redis already. */
  redis: { program: string; config: string } | undefined;
  haproxy: { program: string; config: string };
  /** One for each api node. */
  apiPorts: number[];
  workers: number;
  /** They share a port. */
  gateways: { replicas: number; host: string; port: number };
  /** Replicas are named <nodeName>-1, -2 … */
  nodeName: string;
  /** What every node gets. */
  env: Record<string, string | undefined>;
  /** What sysmon gets besides. */
  sysmonEnv: Record<string, string>;
  /** What the functions service gets, and nothing else; absent where none is started. */
  functionsEnv: Record<string, string | undefined> | undefined;
}

/** An api node drains for up to 25 s; a load balancer, a gateway and a worker finish what they have in hand. */
const NODE_STOP_MS = 28_000;
/** Redis is never cut short while it writes. */
const REDIS_STOP_MS = 120_000;

export function planChildren(plan: Plan): PlannedChild[] {
  const numbers = Array.from({ length: plan.workers }, (_, i) => i + 1);
  return [
    ...planRedis(plan),
    planHaproxy(plan),
    ...plan.apiPorts.map((port, i) => planNode("api", plan, i + 1, { HOST: "127.0.0.1", PORT: String(port) })),
    ...numbers.map((n) => planNode("worker", plan, n, {})),
    ...planGateways(plan),
    ...planFunctions(plan),
    { ...planNode("sysmon", plan, 1, { HOST: "127.0.0.1", ...plan.sysmonEnv }), name: "sysmon", isQuiet: true },
  ];
}

function planGateways(plan: Plan): PlannedChild[] {
  const { replicas, host, port } = plan.gateways;
  const door = { GATEWAY_HOST: host, GATEWAY_PORT: String(port), GATEWAY_PORT_SHARED: replicas > 1 ? "1" : "0" };
  return Array.from({ length: replicas }, (_, i) => planNode("gateway", plan, i + 1, door));
}

function planFunctions({ functionsEnv, nodeName }: Plan): PlannedChild[] {
  if (!functionsEnv) return [];
  return [
    {
      role: "functions",
      name: "functions",
      command: process.execPath,
      args: [join(root, "functions/src/main.ts")],
      hasChannel: false,
      env: { ...functionsEnv, NODE_NAME: `${nodeName}-1` },
      stopWithinMs: NODE_STOP_MS,
    },
  ];
}

function planRedis({ redis }: Plan): PlannedChild[] {
  if (!redis) return [];
  const { program, config } = redis;
  return [
    {
      role: "redis",
      name: "redis",
      command: program,
      args: [config],
      hasChannel: false,
      env: process.env,
      stopWithinMs: REDIS_STOP_MS,
    },
  ];
}

/** It finishes the calls in flight on SIGUSR1. */
function planHaproxy({ haproxy: { program, config } }: Plan): PlannedChild {
  return {
    role: "lb",
    name: "lb",
    command: program,
    args: ["-db", "-f", config],
    hasChannel: false,
    env: process.env,
    stopSignal: "SIGUSR1",
    stopWithinMs: NODE_STOP_MS,
  };
}

function planNode(
  role: "api" | "worker" | "gateway" | "sysmon",
  plan: Plan,
  number: number,
  env: Record<string, string>,
): PlannedChild {
  return {
    role,
    name: `${role}-${number}`,
    command: process.execPath,
    args: [join(root, role, "src/main.ts")],
    hasChannel: true,
    env: { ...plan.env, ...env, NODE_NAME: `${plan.nodeName}-${number}` },
    stopWithinMs: NODE_STOP_MS,
  };
}
