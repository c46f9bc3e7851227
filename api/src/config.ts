/** The settings of an api node, from the environment. */

import { type ClusterSettings, readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { readInteger, readText } from "@genserverless/shared/service/env.ts";
import { readAllowedHosts } from "@genserverless/shared/service/hosts.ts";

export interface ApiSettings {
  cluster: ClusterSettings;
  host: string;
  /** 0 asks for any free port. */
  port: number;
  /** Whoever calls must know it; absent where anybody may call. */
  token?: string;
  /** Names with a dot under which it may be called. */
  allowedHosts: readonly string[];
  /** How long it may take to make an entity's state of its journal for a reader. */
  recoveryTimeoutMs: number;
  /** How long a node that leaves still takes requests, so that the load balancer sees it go. */
  drainMs: number;
}

export function readApiSettings(env: Record<string, string | undefined>): ApiSettings {
  const token = readText(env, "API_TOKEN", "");
  return {
    cluster: readClusterSettings(env),
    host: readText(env, "HOST", "127.0.0.1"),
    port: readInteger(env, "PORT", 3000, 0, 65_535),
    allowedHosts: readAllowedHosts(env),
    ...(token !== "" && { token }),
    recoveryTimeoutMs: readInteger(env, "RECOVERY_TIMEOUT_MS", 10_000, 1, 600_000),
    drainMs: readInteger(env, "DRAIN_MS", 2_000, 0, 20_000),
  };
}
