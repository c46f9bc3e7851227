/**
 * One step of a deployment, taken again and again until it is over. Each step may be lost, repeated or late: what it asks of
 * the functions service is the same when it is asked twice, and what it decides is true once its turn has committed.
 *
 * - Dies before the commit: the same step is taken again, on whichever worker.
 * - The service dies: its build is unknown afterwards, and is begun anew; what it was told serves is on its disk.
 * - Another commit comes meanwhile: the build is given up, the step after is the other's.
 * - The switch is made in the service first and committed after. Between the two, functions answer as the new deployment
 *   does while the project still shows the old one.
 */

import { type Build, FunctionsAway, FunctionsProblem } from "@genserverless/shared/functions/functions-client.ts";
import { type Deployment, type ProjectState, toFunctionPid } from "@genserverless/shared/functions/processes.ts";
import type { Context } from "genserverless";
import { buildingOf, change, currentOf, missingIn, prune } from "./deployments.ts";
import { isPassing, isProblem, service } from "./service.ts";

const LEAST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 1_000;

/** `isRound` is true where it was time to look, and nobody knows of a reason. */
export async function advance(state: ProjectState, ctx: Context, isRound: boolean): Promise<ProjectState> {
  const building = buildingOf(state);
  const current = currentOf(state);
  try {
    if (building) return await build(state, building, ctx);
    if (current) await keepServing(state, current, ctx, isRound);
    return state;
  } catch (error) {
    // Whatever it is: without another look nobody would ever go on.
    if (!(error instanceof FunctionsAway || error instanceof FunctionsProblem)) throw error;
    ctx.log.warn({ reason: (error as Error).message }, "functions.waiting");
    lookAgain(MOST_PAUSE_MS, ctx);
    return state;
  }
}

async function build(state: ProjectState, deployment: Deployment, ctx: Context): Promise<ProjectState> {
  const { number, at } = deployment;
  const made = await askForBuild(state, deployment, ctx.key).catch(toFailure);
  if (made.status === "failed") return endFailed(state, deployment, made, ctx);
  if (made.status === "ready") return serve(state, deployment, made, ctx);
  const elapsedMs = ctx.now() - Date.parse(at);
  lookAgain(Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, elapsedMs / 5)), ctx);
  return deployment.isBegun ? state : change(state, number, { isBegun: true });
}

type Progress = Pick<Build, "status" | "reason" | "durationMs">;

/** How far the build is; begun where the service does not know of it. */
async function askForBuild({ repository }: ProjectState, deployment: Deployment, project: string): Promise<Progress> {
  const { commit, isBegun } = deployment;
  // One that failed for an earlier deployment is built again.
  const known = isBegun ? await orUnknown(service.findBuild(project, commit)) : undefined;
  if (known) return known;
  const begun = await orUnknown(service.beginBuild(project, commit));
  if (begun) return begun;
  await service.checkOut(repository, commit);
  return service.beginBuild(project, commit);
}

async function orUnknown(asked: Promise<Build>): Promise<Build | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isProblem(error, "unknown_build", "unknown_checkout", "unknown_project")) return undefined;
    throw error;
  }
}

/** What the service refuses, and would refuse again, ends the deployment. */
function toFailure(error: unknown): Progress {
  if (!(error instanceof FunctionsProblem) || isPassing(error)) throw error;
  return { status: "failed", reason: { code: error.code, message: error.message } };
}

function endFailed(state: ProjectState, { number }: Deployment, made: Progress, ctx: Context): Promise<ProjectState> {
  const { reason = { code: "internal_error", message: "the build failed" }, durationMs } = made;
  ctx.log.warn({ deployment: number, ...reason }, "deployment.failed");
  const failed = { status: "failed", reason, ...(durationMs !== undefined && { durationMs }) } as const;
  return forgetOldest(change(state, number, failed), ctx);
}

/** From now on it is what runs: functions that are new or changed are told, those that are gone are stopped. */
async function serve(state: ProjectState, made: Deployment, progress: Progress, ctx: Context): Promise<ProjectState> {
  const { number, commit, manifest } = made;
  await service.setCurrent(ctx.key, commit);
  for (const spec of manifest.functions) {
    ctx.cast(toFunctionPid(ctx.key, spec.name), { configure: { project: ctx.key, commit, spec } });
  }
  for (const name of missingIn(manifest, currentOf(state)?.manifest)) ctx.stop(toFunctionPid(ctx.key, name));
  ctx.log.info({ deployment: number, commit }, "deployment.ready");
  const { durationMs = 0 } = progress;
  return forgetOldest({ ...change(state, number, { status: "ready", durationMs }), current: number }, ctx);
}

async function forgetOldest(state: ProjectState, ctx: Context): Promise<ProjectState> {
  const { state: pruned, forgotten } = prune(state);
  // One that cannot be deleted now stays on the disk until the project goes.
  for (const each of forgotten) await service.deleteBuild(ctx.key, each).catch(() => {});
  return pruned;
}

/** Tells the service again what serves; where it no longer has that, it is fetched and built anew, once in each round. */
async function keepServing(state: ProjectState, current: Deployment, ctx: Context, isRound: boolean): Promise<void> {
  const { commit } = current;
  try {
    return await service.setCurrent(ctx.key, commit);
  } catch (error) {
    if (!isProblem(error, "unknown_build", "unknown_project")) throw error;
  }
  const made = await askForBuild(state, { ...current, isBegun: !isRound }, ctx.key).catch(toFailure);
  if (isRound) ctx.log.warn({ commit }, "deployment.restored");
  if (made.status === "failed") ctx.log.error({ commit, ...made.reason }, "deployment.lost");
  else lookAgain(MOST_PAUSE_MS, ctx);
}

function lookAgain(ms: number, ctx: Context): void {
  ctx.sendAfter(Math.round(ms), "functions:advance", { name: "advance" });
}
