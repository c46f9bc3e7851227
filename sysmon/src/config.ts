/** The settings of a sysmon node, from the environment. */

import { readInteger, readText, SettingError } from "@genserverless/shared/service/env.ts";
import { readAllowedHosts } from "@genserverless/shared/service/hosts.ts";

export interface Config {
  host: string;
  /** 0 asks for any free port. */
  port: number;
  /** The load balancer of the cluster's own API. */
  apiUrl: string;
  apiToken: string | undefined;
  /** Whether the counts are shown without a token to whoever reaches the page by a loopback name. */
  hasOpenCounts: boolean;
  /** Names with a dot under which the page may be called. */
  allowedHosts: readonly string[];
  /** Without the page it is no node of the cluster either: a person who looks. */
  hasWeb: boolean;
}

export function readConfig(env: Record<string, string | undefined>): Config {
  const host = readText(env, "HOST", "127.0.0.1");
  return {
    host,
    port: readInteger(env, "SYSMON_PORT", 5984, 0, 65_535),
    apiUrl: readUrl(env, "API_URL", "http://127.0.0.1:8080"),
    apiToken: readText(env, "API_TOKEN", "") || undefined,
    hasOpenCounts: readText(env, "SYSMON_COUNTS", isLoopback(host) ? "open" : "closed") === "open",
    allowedHosts: readAllowedHosts(env),
    hasWeb: readText(env, "SYSMON_WEB", "on") !== "off",
  };
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\..+|::1)$/.test(host);
}

function readUrl(env: Record<string, string | undefined>, name: string, fallback: string): string {
  const text = readText(env, name, fallback);
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text;
  throw new SettingError(`${name} must be like ${fallback}, not ${JSON.stringify(text)}`);
}
