import { type ClusterSettings, readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { readInteger, readText } from "@genserverless/shared/service/env.ts";

export interface WorkerSettings {
  cluster: ClusterSettings;
  /** How many processes the worker keeps in memory before it puts the least recently used to sleep. */
  mostActivations: number;
  /** How many processes may be in a turn at once. */
  mostRunning: number;
  host: string;
  /** Where /metrics is answered; 0 where it is not. */
  metricsPort: number;
}

export function readWorkerSettings(env: Record<string, string | undefined>): WorkerSettings {
  return {
    cluster: readClusterSettings(env),
    mostActivations: readInteger(env, "MOST_ACTIVATIONS", 20_000, 1, 10_000_000),
    mostRunning: readInteger(env, "MOST_RUNNING", 2_000, 1, 1_000_000),
    host: readText(env, "HOST", "127.0.0.1"),
    metricsPort: readInteger(env, "METRICS_PORT", 0, 0, 65_535),
  };
}
