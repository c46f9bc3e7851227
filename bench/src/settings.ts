/** What the environment says about the systems that are measured. */

import { readInteger, readText, SettingError } from "@genserverless/shared/service/env.ts";
import type { RedisServerOptions } from "../../test/tools/redis-server.ts";

/** One api and one worker, so that the cluster has the floor's shape. */
const REPLICAS = 1;

export function describeSettings() {
  return {
    apis: readInteger(process.env, "API_REPLICAS", REPLICAS, 1, 20),
    workers: readInteger(process.env, "WORKER_REPLICAS", REPLICAS, 1, 64),
    appendfsync: readAppendfsync(),
  };
}

/** The Redis of either system. */
export function redisOptions(): RedisServerOptions {
  return { appendfsync: readAppendfsync(), maxmemory: "2gb", password: "bench" };
}

function readAppendfsync(): "everysec" | "always" {
  const text = readText(process.env, "APPENDFSYNC", "everysec");
  if (text === "everysec" || text === "always") return text;
  throw new SettingError(`APPENDFSYNC must be everysec or always, not ${JSON.stringify(text)}`);
}
