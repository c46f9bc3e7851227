/** What goes over the wire about projects and their functions. */

import { z } from "zod";

const time = z.iso.datetime();
const count = z.int().min(0);

export const Welcome = z.object({ message: z.string(), version: z.string(), author: z.string() });

export const DeployRequest = z.object({
  repository: z.string(),
  /** A branch, tag or commit; the default branch where there is none. */
  ref: z.string().exactOptional(),
});
export const Deployed = z.object({
  message: z.string(),
  repository: z.string().exactOptional(),
  project: z.string().exactOptional(),
  functions: z.array(z.string()).exactOptional(),
});
export const DeployRefused = z.object({
  error: z.string(),
  message: z.string(),
  detail: z.string().exactOptional(),
  code: z.string().exactOptional(),
  problems: z.array(z.object({ line: z.int(), field: z.string(), message: z.string() })).exactOptional(),
});

export const ProjectSummary = z.object({
  name: z.string(),
  repository: z.string(),
  ref: z.string().exactOptional(),
  status: z.enum(["building", "ready", "failed"]),
  /** The number of the deployment that serves. */
  current: z.int().exactOptional(),
  commit: z.string().exactOptional(),
  functions: z.array(
    z.object({
      name: z.string(),
      type: z.enum(["http", "cron", "event"]),
      url: z.string().exactOptional(),
      schedule: z.string().exactOptional(),
      timezone: z.string().exactOptional(),
      topic: z.string().exactOptional(),
    }),
  ),
});
export const DeploymentView = z.object({
  number: z.int().min(1),
  commit: z.string(),
  ref: z.string(),
  status: z.enum(["building", "ready", "failed", "superseded"]),
  isCurrent: z.boolean(),
  at: time,
  durationMs: z.number().exactOptional(),
  reason: z.object({ code: z.string(), message: z.string() }).exactOptional(),
  /** The deployment whose commit it brought back. */
  rollbackOf: z.int().exactOptional(),
});
export const ProjectView = ProjectSummary.extend({ deployments: z.array(DeploymentView) });
export const Projects = z.object({ projects: z.array(ProjectSummary) });
export const ProjectDeleted = z.object({ message: z.string() });

export const RollbackRequest = z.strictObject({
  /** The number of a deployment; the one before the current unless given. */
  to: z.int().min(1).exactOptional(),
});
export const RolledBack = z.object({
  message: z.string(),
  project: z.string(),
  deployment: z.int(),
  commit: z.string(),
});

export const RunView = z.object({
  id: z.string(),
  status: z.enum(["due", "running", "skipped", "completed", "failed", "timeout", "died", "not_started"]),
  dueAt: time,
  startedAt: time.exactOptional(),
  durationMs: z.number().exactOptional(),
  coldStart: z.boolean().exactOptional(),
  error: z.string().exactOptional(),
});
export const FunctionView = z.object({
  project: z.string(),
  name: z.string(),
  type: z.enum(["http", "cron", "event"]),
  url: z.string().exactOptional(),
  schedule: z.string().exactOptional(),
  timezone: z.string().exactOptional(),
  topic: z.string().exactOptional(),
  commit: z.string(),
  nextAt: time.exactOptional(),
  timeoutMs: count,
  memoryMb: count,
  concurrency: count,
  keepWarm: count,
  invocations: count,
  failures: count,
  timeouts: count,
  refused: count,
  coldStarts: count,
  lastColdStartMs: z.number().exactOptional(),
  meanMs: z.number().exactOptional(),
  sandboxes: z.object({ warm: count, busy: count, waiting: count }),
  /** Of a cron or event function, newest first. */
  runs: z.array(RunView).exactOptional(),
  counts: z.record(z.string(), count).exactOptional(),
});
export const Functions = z.object({
  functions: z.array(FunctionView),
  sandboxes: z.object({ warm: count, busy: count }),
});
export const TickAccepted = z.object({ run: z.string() });
export const PushAccepted = z.object({ projects: z.array(z.string()) });
export const Refused = z.object({ error: z.string().exactOptional(), message: z.string() });
