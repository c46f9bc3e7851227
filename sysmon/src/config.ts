/** The settings of a sysmon node, from the environment. */

import { readInteger, readText } from "@genserverless/shared/service/env.ts";

export interface Config {
  host: string;
  /** 0 asks for any free port. */
  port: number;
}

export function readConfig(env: Record<string, string | undefined>): Config {
  return {
    host: readText(env, "HOST", "127.0.0.1"),
    port: readInteger(env, "SYSMON_PORT", 5984, 0, 65_535),
  };
}
