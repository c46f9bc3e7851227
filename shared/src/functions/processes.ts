/**
 * The processes of projects and functions: their addresses, and what they keep. The modules in functions/ write it, the api
 * reads it.
 */

import { type Pid, toPid } from "../process/pid.ts";
import type { RunEnd } from "./functions-client.ts";
import type { FunctionSpec, Manifest } from "./manifest.ts";

export const PROJECT_MODULE = "functions.project";
export const FUNCTION_MODULE = "functions.function";

export function toProjectPid(project: string): Pid {
  return toPid(PROJECT_MODULE, project);
}

export function toFunctionPid(project: string, name: string): Pid {
  return toPid(FUNCTION_MODULE, `${project}~${name}`);
}

export interface Deployment {
  /** From 1. */
  number: number;
  commit: string;
  /** The branch or tag that was at this commit. */
  ref: string;
  status: "building" | "ready" | "failed" | "superseded";
  /** ISO 8601. */
  at: string;
  /** Whether the functions service has been asked to build it. */
  isBegun: boolean;
  durationMs?: number;
  /** Of one that failed. */
  reason?: { code: string; message: string };
  /** The deployment whose commit it brought back. */
  rollbackOf?: number;
  manifest: Manifest;
}

export interface ProjectState {
  repository: string;
  /** What is asked for at each deployment; the default branch where there is none. */
  ref?: string;
  /** The number of the deployment that serves. */
  current?: number;
  /** Oldest first. */
  deployments: Deployment[];
}

export interface FunctionRun {
  id: string;
  status: "due" | "running" | "skipped" | RunEnd;
  /** In ms since the epoch, like all times here. */
  dueAt: number;
  startedAt?: number;
  /** Which build runs it. */
  commit?: string;
  event?: unknown;
  durationMs?: number;
  coldStart?: boolean;
  error?: string;
}

export interface Target {
  project: string;
  commit: string;
  spec: FunctionSpec;
}

export interface FunctionState {
  /** Undefined until it has been configured. */
  target?: Target;
  /** Those that are due or running, oldest first. */
  active: FunctionRun[];
  /** Those that have ended, newest first. */
  ended: FunctionRun[];
  counts: Partial<Record<FunctionRun["status"], number>>;
  /** When the schedule is due next. */
  nextAt?: number;
}
