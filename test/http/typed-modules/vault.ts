import { CallError, defineServer, noreply, reply } from "genserverless";
import * as v from "valibot";
import { z } from "zod";

/** An amount, with named handlers that check what they are sent. */
export default defineServer({
  name: "vault",
  version: 1,
  init: (start: unknown) => ({ amount: Number(start ?? 0), heard: [] as string[] }),
  calls: {
    deposit: {
      args: z.object({ amount: z.coerce.number().positive(), memo: z.string().default("none") }),
      reply: z.object({ amount: z.number(), memo: z.string() }),
      handle: ({ amount, memo }, _from, state) => {
        const after = { ...state, amount: state.amount + amount };
        return reply({ amount: after.amount, memo }, after);
      },
    },
    amount: (_args, _from, state) => reply(state.amount, state),
    /** Sends another vault a call of which its sender knows nothing. */
    forward: {
      args: z.object({ to: z.string(), message: z.unknown() }),
      handle: async ({ to, message }, _from, state, ctx) => {
        try {
          return reply(await ctx.call(to, message), state);
        } catch (error) {
          return reply(error instanceof CallError ? error.message : "no CallError", state);
        }
      },
    },
  },
  casts: {
    note: {
      args: v.pipe(v.string(), v.minLength(1, "must not be empty")),
      handle: (text, state) => noreply({ ...state, heard: [...state.heard, text] }),
    },
    pass: {
      args: z.object({ to: z.string(), message: z.unknown() }),
      handle: ({ to, message }, state, ctx) => {
        ctx.cast(to, message);
        return noreply(state);
      },
    },
  },
  infos: {
    timeout: (_args, state) => noreply({ ...state, heard: [...state.heard, "timeout"] }),
    wait: { args: z.int(), handle: (ms, state) => noreply(state, { timeout: ms }) },
  },
});
