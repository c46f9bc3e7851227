/**
 * Projects, their deployments and their functions as the api tells them, and lines of a function's log. Times of day are
 * ISO 8601; counts are since the functions service began.
 */

import type { FunctionCounts, RunEnd } from "./functions-client.ts";

export interface DeployedFunction {
  name: string;
  type: "http" | "cron" | "event";
  /** `/invoke/USER-REPO/API`; of http functions. */
  url?: string;
  schedule?: string;
  timezone?: string;
  topic?: string;
}

export interface ProjectSummary {
  name: string;
  repository: string;
  ref?: string;
  status: "building" | "ready" | "failed";
  /** Number of the deployment that serves; absent before the first. */
  current?: number;
  commit?: string;
  functions: readonly DeployedFunction[];
}

export interface ProjectView extends ProjectSummary {
  /** Newest first. */
  deployments: readonly DeploymentView[];
}

export interface DeploymentView {
  number: number;
  commit: string;
  ref: string;
  status: "building" | "ready" | "failed" | "superseded";
  isCurrent: boolean;
  at: string;
  durationMs?: number;
  reason?: { code: string; message: string };
  /** The deployment whose commit it brought back. */
  rollbackOf?: number;
}

export interface FunctionView extends DeployedFunction, FunctionCounts {
  project: string;
  commit: string;
  nextAt?: string;
  timeoutMs: number;
  memoryMb: number;
  concurrency: number;
  keepWarm: number;
  meanMs?: number;
  sandboxes: { warm: number; busy: number; waiting: number };
  /** Of one cron or event function, newest first; a list has none. */
  runs?: readonly RunView[];
}

export interface RunView {
  id: string;
  status: "due" | "running" | "skipped" | RunEnd;
  dueAt: string;
  startedAt?: string;
  durationMs?: number;
  coldStart?: boolean;
  error?: string;
}

export interface LogLine {
  /** ms since the epoch. */
  at: number;
  /** Of the build that printed it. */
  commit: string;
  /** Counts sandboxes, from 1 in each run of the functions service. */
  sandbox: number;
  /** `service` where the functions service itself has something to say of the sandbox. */
  stream: "stdout" | "stderr" | "service";
  text: string;
}
