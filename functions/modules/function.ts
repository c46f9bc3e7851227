import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { FUNCTION_MODULE, type FunctionState } from "@genserverless/shared/functions/processes.ts";
import { type Context, defineServer, noreply, reply, stop } from "genserverless";
import { z } from "zod";
import { advanceRuns } from "../control/run.ts";
import { findStartable, makeDue, NO_RUNS } from "../control/runs.ts";
import { listen } from "../control/schedule.ts";
import { findNext } from "../src/manifest/schedule.ts";

/** As the project's process sends it; the functions service has read the manifest. */
const Configure = z.object({
  project: z.string(),
  commit: z.string(),
  spec: z.looseObject({ name: z.string(), type: z.enum(["http", "cron", "event"]) }),
});

/** A project's name may be longer than a tag. */
const LONGEST_TAG = 64;

/**
 * A function of a project: what its manifest says, when it is due, and what became of its runs. A cron function is told by
 * a timer, an event function by its topic. What runs is the functions service's matter, for http functions altogether.
 */
export default defineServer({
  name: FUNCTION_MODULE,
  version: 1,
  onDemand: true,
  keepState: "never",
  turnTimeoutMs: 60_000,
  init: (): FunctionState => NO_RUNS,
  calls: {
    /** Due now, besides its schedule. */
    tick: (_args, _from, state, ctx) => {
      if (state.target?.spec.type !== "cron") return reply({ refused: "it is no cron function" }, state);
      return reply({ run: runId(ctx) }, makeDue(state, { id: runId(ctx), dueAt: ctx.now() }), { continue: "advance" });
    },
  },
  casts: {
    configure: {
      args: Configure,
      handle: ({ project, commit, spec: given }, state, ctx) => {
        const spec = given as unknown as FunctionSpec;
        listen(state.target?.spec, spec, ctx);
        ctx.setTags([project.slice(0, LONGEST_TAG)]);
        return noreply(notedNext({ ...state, target: { project, commit, spec } }, ctx));
      },
    },
  },
  infos: {
    "functions:tick": (_tick, state, ctx) => {
      if (state.target?.spec.type !== "cron") return goOn(state);
      return become(makeDue(state, { id: runId(ctx), dueAt: ctx.now() }), ctx);
    },
    "functions:advance": async (_tick, state, ctx) => goOn(await advanceRuns(state, ctx)),
  },
  /** What is published to its topic. */
  handleInfo: (event: unknown, state, ctx) => {
    if (state.target?.spec.type !== "event") return goOn(state);
    return become(makeDue(state, { id: runId(ctx), dueAt: ctx.now(), event }), ctx);
  },
  handleContinue: async (_value, state, ctx) => noreply(await advanceRuns(state, ctx)),
});

/** What was on its way to a function when that was removed has woken nobody. */
function goOn(state: FunctionState) {
  return state.target ? noreply(state) : stop("normal", state);
}

/** Known to be due from this commit on; it begins in the turn after. */
function become(state: FunctionState, ctx: Context) {
  const next = notedNext(state, ctx);
  return findStartable(state).length > 0 ? noreply(next, { continue: "advance" }) : noreply(next);
}

function notedNext({ nextAt: _before, ...state }: FunctionState, ctx: Context): FunctionState {
  const nextAt = state.target && findNext(state.target.spec, ctx.now());
  return { ...state, ...(nextAt !== undefined && { nextAt }) };
}

/** A message makes one run due, however often its turn runs. */
function runId(ctx: Context): string {
  return ctx.messageId;
}
