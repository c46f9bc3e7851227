/**
 * Begins the runs that are due, and asks how far those are that are under way. Whatever is asked of the functions service
 * is asked under the run's id, so a step that is taken again changes nothing.
 *
 * - Dies before the commit: the run has begun, and is still due here; the step is taken again and finds it running, or over.
 * - The service dies: a run that had begun is `died`; one that waited for a sandbox is due again, and begins when the service is
 *   there again.
 * - The service loses its disk: nobody can tell the two apart, so a run that it was told of is `died`.
 */

import { FunctionsAway, FunctionsProblem, type Run } from "@genserverless/shared/functions/functions-client.ts";
import type { FunctionRun, FunctionState, Target } from "@genserverless/shared/functions/processes.ts";
import type { Context } from "genserverless";
import { findRunning, findStartable, note } from "./runs.ts";
import { isProblem, service } from "./service.ts";

/** Most runs are over before anybody has to ask again. */
const WAIT_MS = 200;
const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 2_000;
/** How long a run may be due without a build that can run it. */
const MOST_HOMELESS_MS = 120_000;
/** The service forgets a run a day after its end. */
const KNOWN_MS = 23 * 3_600_000;
/** What the service would say again. */
const REFUSED = ["unknown_function", "invalid_request", "invalid_json", "body_too_large"];

export async function advanceRuns(state: FunctionState, ctx: Context): Promise<FunctionState> {
  const { target } = state;
  if (!target) return state;
  const begun = findStartable(state).map((run) => begin(run, target, ctx));
  const followed = findRunning(state).map((run) => follow(run, ctx));
  const asked = [...begun, ...followed];
  const after = (await Promise.all(asked)).reduce(note, state);
  const [oldest] = after.active;
  if (oldest) ctx.sendAfter(pauseBefore(after, oldest, ctx), "functions:advance", { name: "advance" });
  return after;
}

/** At once where a run has made room for another. */
function pauseBefore(state: FunctionState, oldest: FunctionRun, ctx: Context): number {
  const isWaiting = findStartable(state).every(({ id }) => id !== oldest.id);
  if (findStartable(state).length > 0 && isWaiting) return 0;
  const elapsedMs = ctx.now() - (oldest.startedAt ?? oldest.dueAt);
  return Math.round(Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, elapsedMs / 5)));
}

async function begin(run: FunctionRun, { project, commit, spec }: Target, ctx: Context): Promise<FunctionRun> {
  const startedAt = ctx.now();
  const { id, event, dueAt } = run;
  try {
    const request = { project, commit, function: spec.name, ...(event !== undefined && { event }), waitMs: WAIT_MS };
    return merge({ ...run, startedAt, commit }, await service.beginRun(id, request));
  } catch (error) {
    const isHomeless = isProblem(error, "unknown_build", "unknown_project");
    if (isHomeless && run.startedAt !== undefined) return lost(run);
    const isOver = isHomeless ? startedAt - dueAt > MOST_HOMELESS_MS : isProblem(error, ...REFUSED);
    if (isOver) return { ...run, status: "not_started", error: (error as Error).message };
    return goOn(run, error, ctx);
  }
}

async function follow(run: FunctionRun, ctx: Context): Promise<FunctionRun> {
  try {
    return merge(run, await service.findRun(run.id, WAIT_MS));
  } catch (error) {
    if (!isProblem(error, "unknown_run")) return goOn(run, error, ctx);
    // It waited for a sandbox when the service ended. What has begun is on its disk.
    const elapsedMs = ctx.now() - (run.startedAt ?? run.dueAt);
    return elapsedMs > KNOWN_MS ? lost(run) : { ...run, status: "due" };
  }
}

/** As it was, to be asked for again: a run that nobody follows would be in the way of all that come after it. */
function goOn(run: FunctionRun, error: unknown, ctx: Context): FunctionRun {
  if (!(error instanceof FunctionsAway || error instanceof FunctionsProblem)) throw error;
  ctx.log.warn({ run: run.id, reason: error.message }, "functions.waiting");
  return run;
}

function lost(run: FunctionRun): FunctionRun {
  return { ...run, status: "died", error: "the functions service no longer knows of the run" };
}

function merge(run: FunctionRun, { status, startedAt, durationMs, coldStart, error }: Run): FunctionRun {
  return {
    ...run,
    status,
    ...(startedAt !== undefined && { startedAt }),
    ...(durationMs !== undefined && { durationMs }),
    ...(coldStart !== undefined && { coldStart }),
    ...(error !== undefined && { error }),
  };
}
