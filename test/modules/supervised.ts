import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, stop } from "genserverless";

interface Args {
  /** A notebook that is asked to note what becomes of it, before that goes on: `began <key>` and `ended <key>: <reason>`. */
  diary: string;
  /** How long its init takes. */
  initMs?: number;
}

/** A supervisor's child. As in OTP it begins each life anew. */
export default defineServer({
  name: "supervised",
  version: 1,
  keepState: "never",
  init: async ({ diary, initMs = 0 }: Args, ctx) => {
    if (initMs > 0) await sleep(initMs);
    await ctx.call(diary, { note: `began ${ctx.key}` });
    return { diary };
  },
  handleCast: (message: { end: string }, state) => stop(message.end, state),
  terminate: async (reason, { diary }, ctx) => void (await ctx.call(diary, { note: `ended ${ctx.key}: ${reason}` })),
});
