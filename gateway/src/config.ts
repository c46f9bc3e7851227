/** The settings of a gateway node, from the environment. Their names are those of the first backend of this kind. */

import { readAddress, readInteger, readText, SettingError } from "@genserverless/shared/service/env.ts";
import { readWorkerSettings, type WorkerSettings } from "@genserverless/worker/config.ts";

export interface GatewaySettings {
  worker: WorkerSettings;
  host: string;
  /** 0 asks for any free port. */
  port: number;
  /** Other gateways listen there too. */
  isPortShared: boolean;
  /** `host:port`. */
  userFunction: string;
  /** How long a command may take, from its arrival to its reply. */
  relayTimeoutMs: number;
  /** How many commands may wait for one entity. */
  relayBufferSize: number;
  /** How long an entity stays awake without a command, unless the user function says otherwise. */
  passivationTimeoutMs: number;
  /** Between two attempts at discovery. */
  backoff: Backoff;
  /** How long a node that leaves still takes requests. */
  drainMs: number;
}

export interface Backoff {
  minMs: number;
  maxMs: number;
  /** So much of a pause is added to it at most, by chance: 0.2 is a fifth. */
  randomFactor: number;
}

type Environment = Record<string, string | undefined>;

/** Throws SettingError. */
export function readGatewaySettings(env: Environment): GatewaySettings {
  return {
    worker: readWorkerSettings(env),
    host: readText(env, "GATEWAY_HOST", readText(env, "HOST", "127.0.0.1")),
    port: readInteger(env, "GATEWAY_PORT", 9_000, 0, 65_535),
    isPortShared: readInteger(env, "GATEWAY_PORT_SHARED", 0, 0, 1) === 1,
    userFunction: readAddress(env, "USER_FUNCTION", "localhost:8080"),
    relayTimeoutMs: readInteger(env, "RELAY_TIMEOUT_MS", 60_000, 1, 3_600_000),
    relayBufferSize: readInteger(env, "RELAY_BUFFER_SIZE", 1_000, 1, 1_000_000),
    passivationTimeoutMs: readInteger(env, "PASSIVATION_TIMEOUT_MS", 30_000, 1, 2_147_483_647),
    backoff: readBackoff(env),
    drainMs: readInteger(env, "DRAIN_MS", 2_000, 0, 20_000),
  };
}

function readBackoff(env: Environment): Backoff {
  const minMs = readInteger(env, "BACKOFF_MIN_MS", 1_000, 1, 3_600_000);
  const maxMs = readInteger(env, "BACKOFF_MAX_MS", Math.max(10_000, minMs), 1, 3_600_000);
  if (maxMs < minMs) throw new SettingError(`BACKOFF_MAX_MS must be at least BACKOFF_MIN_MS, ${minMs}, not ${maxMs}`);
  return { minMs, maxMs, randomFactor: readFraction(env, "BACKOFF_RANDOM_FACTOR", 0.2) };
}

function readFraction(env: Environment, name: string, fallback: number): number {
  const text = readText(env, name, String(fallback));
  const value = Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new SettingError(`${name} must be a number from 0 to 1, not ${JSON.stringify(text)}`);
}
