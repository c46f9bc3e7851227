/** The settings of an api node, from the environment. */

import { type ClusterSettings, readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { type FunctionsAccess, readFunctionsAccess } from "@genserverless/shared/functions/access.ts";
import { readInteger, readText, readToken, SettingError } from "@genserverless/shared/service/env.ts";
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
  functions: FunctionsSettings;
}

export interface FunctionsSettings {
  /** Absent where this cluster runs no functions. */
  access: FunctionsAccess | undefined;
  /** What git hosts sign their push events with. */
  webhookSecret: string | undefined;
  /** Whether functions may be invoked without the token. */
  isOpen: boolean;
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
    functions: {
      access: readFunctionsAccess(env),
      webhookSecret: readToken(env, "FUNCTIONS_WEBHOOK_SECRET"),
      isOpen: readInvoke(env) === "open",
    },
  };
}

/** Who may invoke functions where there is an API_TOKEN: whoever knows it, or anybody. */
function readInvoke(env: Record<string, string | undefined>): "token" | "open" {
  const text = readText(env, "FUNCTIONS_INVOKE", "token");
  if (text === "token" || text === "open") return text;
  throw new SettingError(`FUNCTIONS_INVOKE must be token or open, not ${JSON.stringify(text)}`);
}
