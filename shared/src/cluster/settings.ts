/** The settings that every node shares. A bad one is an error that names it. */

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { readInteger, readText, SettingError } from "../service/env.ts";

export interface ClusterSettings {
  redisUrl: string;
  keyPrefix: string;
  partitions: number;
  sessionTtlMs: number;
  nodeName: string;
  modulesDirs: string[];
  /** About how many lines the cluster's log in Redis keeps; 0 keeps none there. */
  logEntries: number;
}

type Environment = Record<string, string | undefined>;

export function readClusterSettings(env: Environment): ClusterSettings {
  return {
    redisUrl: readRedisUrl(env),
    keyPrefix: readName(env, "KEY_PREFIX", "gs"),
    partitions: readInteger(env, "PARTITIONS", 64, 1, 16_384),
    sessionTtlMs: readInteger(env, "SESSION_TTL_MS", 6_000, 500, 600_000),
    nodeName: readName(env, "NODE_NAME", hostname()),
    modulesDirs: readText(env, "MODULES_DIR", "modules").split(":").filter(Boolean),
    logEntries: readInteger(env, "LOG_STREAM_ENTRIES", 10_000, 0, 10_000_000),
  };
}

/** A name is part of keys, channels and envelopes. */
function readName(env: Environment, name: string, fallback: string): string {
  const text = readText(env, name, fallback);
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(text)) {
    throw new SettingError(`${name} must be 1 to 128 characters of A-Z a-z 0-9 . _ -, not ${JSON.stringify(text)}`);
  }
  return text;
}

function readRedisUrl(env: Environment): string {
  const given = readText(env, "REDIS_URL", "");
  if (given) {
    if (!/^rediss?:\/\//.test(given) || !URL.canParse(given)) {
      throw new SettingError("REDIS_URL must be redis://[:password@]host[:port][/database]");
    }
    return given;
  }
  const url = new URL("redis://localhost");
  url.hostname = readText(env, "REDIS_HOST", "127.0.0.1");
  url.port = String(readInteger(env, "REDIS_PORT", 6379, 1, 65_535));
  const file = readText(env, "REDIS_PASSWORD_FILE", "");
  if (file) url.password = readPassword(file);
  return url.href;
}

function readPassword(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new SettingError(`REDIS_PASSWORD_FILE cannot be read: ${(error as Error).message}`);
  }
}
