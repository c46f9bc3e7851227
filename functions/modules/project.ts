import { FunctionsProblem } from "@genserverless/shared/functions/functions-client.ts";
import {
  type Deployment,
  PROJECT_MODULE,
  type ProjectState,
  toFunctionPid,
} from "@genserverless/shared/functions/processes.ts";
import { type Context, defineServer, noreply, reply, stop } from "genserverless";
import { z } from "zod";
import { advance } from "../control/deploy.ts";
import {
  begin,
  buildingOf,
  currentOf,
  EMPTY,
  findRollback,
  isUnchanged,
  newestOf,
  type Source,
} from "../control/deployments.ts";
import { isPassing, isProblem, service } from "../control/service.ts";

/** As the functions service answers a checkout; it has read the manifest. */
const Deploy = z.object({
  repository: z.string().min(1),
  asked: z.string().optional(),
  ref: z.string(),
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  manifest: z.looseObject({
    runtime: z.enum(["node", "go"]),
    functions: z.array(z.looseObject({ name: z.string(), type: z.enum(["http", "cron", "event"]) })),
  }),
});

/** Longer than all that one turn may ask of the functions service. */
const TURN_TIMEOUT_MS = 240_000;
const ROUND_MS = 60_000;
const FETCH_AGAIN_MS = 2_000;

/**
 * A project: the repository whose functions run, and its deployments. A deployment is built by the functions service while
 * this process looks how far it is; when it is ready it serves, from one moment to the next. Once a minute the service is told again
 * what serves: one that has lost its disk fetches and builds it anew.
 */
export default defineServer({
  name: PROJECT_MODULE,
  version: 1,
  onDemand: true,
  keepState: "never",
  turnTimeoutMs: TURN_TIMEOUT_MS,
  init: (): ProjectState => EMPTY,
  calls: {
    deploy: {
      args: Deploy,
      handle: async (args, _from, state, ctx) => {
        const source = args as unknown as Source;
        const isNew = state.deployments.length === 0;
        if (isUnchanged(state, source.commit)) return reply({ outcome: "unchanged" as const }, state);
        await giveUpBuild(state, ctx);
        const after = start(state, source, ctx);
        return reply({ outcome: isNew ? ("created" as const) : ("updated" as const), number: numberOf(after) }, after);
      },
    },
    rollback: {
      args: z.object({ to: z.int().min(1).optional() }),
      handle: async ({ to }, _from, state, ctx) => {
        const target = findRollback(state, to);
        if (typeof target === "string") return reply({ refused: target }, state);
        await giveUpBuild(state, ctx);
        const after = start(state, { ...target, repository: state.repository, asked: state.ref }, ctx, target.number);
        return reply({ number: numberOf(after), commit: target.commit }, after);
      },
    },
    delete: async (_args, _from, state, ctx) => {
      try {
        await service.deleteProject(ctx.key);
      } catch (error) {
        if (isPassing(error)) return reply({ unavailable: (error as Error).message }, state);
        if (!isProblem(error, "unknown_project")) throw error;
      }
      for (const { name } of functionsOf(state)) ctx.stop(toFunctionPid(ctx.key, name));
      return stop("normal", { deleted: true }, state);
    },
  },
  casts: { fetch: async (_args, state, ctx) => goOn(await fetchNew(state, ctx)) },
  infos: {
    "functions:fetch": async (_tick, state, ctx) => goOn(await fetchNew(state, ctx)),
    "functions:advance": async (_tick, state, ctx) => goOn(await advance(state, ctx, false)),
    "functions:round": async (_tick, state, ctx) => goOn(await advance(state, ctx, true)),
  },
});

/** What was on its way to a project when that was deleted has woken nobody. */
function goOn(state: ProjectState) {
  return state.deployments.length > 0 ? noreply(state) : stop("normal", state);
}

/** Somebody has pushed: what is there now is deployed, unless it is what serves. */
async function fetchNew(state: ProjectState, ctx: Context): Promise<ProjectState> {
  if (state.deployments.length === 0) return state;
  try {
    const checkout = await service.checkOut(state.repository, state.ref);
    if (isUnchanged(state, checkout.commit)) return state;
    await giveUpBuild(state, ctx);
    return start(state, { ...checkout, asked: state.ref }, ctx);
  } catch (error) {
    if (isPassing(error)) ctx.sendAfter(FETCH_AGAIN_MS, "functions:fetch", { name: "fetch" });
    else if (!(error instanceof FunctionsProblem)) throw error;
    ctx.log.warn({ reason: (error as Error).message }, "project.not_fetched");
    return state;
  }
}

/** Frees its place for the next; one that cannot be given up now ends by itself. */
async function giveUpBuild(state: ProjectState, ctx: Context): Promise<void> {
  const commit = buildingOf(state)?.commit;
  const isWanted = state.deployments.some((each) => each.commit === commit && each.status === "ready");
  if (commit === undefined || isWanted) return;
  await service.deleteBuild(ctx.key, commit).catch(() => {});
}

function start(state: ProjectState, source: Source, ctx: Context, rollbackOf?: number): ProjectState {
  ctx.sendAfter(0, "functions:advance", { name: "advance" });
  ctx.sendEvery(ROUND_MS, "functions:round", { name: "round" });
  return begin(state, source, new Date(ctx.now()).toISOString(), rollbackOf);
}

function numberOf(state: ProjectState): number {
  return (newestOf(state) as Deployment).number;
}

/** Also those of a deployment that is about to serve. */
function functionsOf(state: ProjectState): { name: string }[] {
  return [currentOf(state), buildingOf(state)].flatMap((each) => each?.manifest.functions ?? []);
}
