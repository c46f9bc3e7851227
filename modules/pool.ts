import { defineServer, noreply, stop } from "genserverless";
import { z } from "zod";

/**
 * A pool of workers under a supervisor: work is handed round, and whoever asked is answered by the worker itself. A worker
 * that ends is started again under the same key; what is sent to it meanwhile is lost, and its caller asks again.
 */
export default defineServer({
  name: "pool",
  version: 1,
  keepState: "never",
  init: async (args: { size?: number } | null, ctx) => {
    const size = args?.size ?? 4;
    const children = Array.from({ length: size }, (_, index) => ({
      id: `worker-${index}`,
      start: { module: "pool-worker", key: workerKey(ctx.key, index) },
    }));
    const supervisor = await ctx.startAndWait("supervisor", { key: `pool.${ctx.key}`, args: { children } });
    ctx.monitor(supervisor);
    return { size, next: 0, supervisor };
  },
  calls: {
    work: {
      args: z.object({ primesBelow: z.number().int().min(0).max(1_000_000) }),
      handle: (task, from, state, ctx) => {
        ctx.cast(`pool-worker/${workerKey(ctx.key, state.next)}`, { work: { ...task, from } });
        return noreply({ ...state, next: (state.next + 1) % state.size });
      },
    },
  },
  /** The supervisor has given up: too many workers ended too fast. */
  infos: { DOWN: (_down, state) => stop("shutdown: the supervisor has given up", state) },
  terminate: (_reason, { supervisor }, ctx) => ctx.stopAndWait(supervisor, "shutdown"),
});

const workerKey = (pool: string, index: number) => `${pool}.${index}`;
