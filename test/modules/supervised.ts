import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, stop } from "genserverless";

interface Args {
  /** Is sent what becomes of it, and when: `began <key>` and `ended <key>: <reason>`. */
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
    ctx.cast(diary, { what: `began ${ctx.key}`, at: ctx.now() });
    return { diary };
  },
  handleCast: (message: { end: string }, state) => stop(message.end, state),
  terminate: (reason, { diary }, ctx) => ctx.cast(diary, { what: `ended ${ctx.key}: ${reason}`, at: ctx.now() }),
});
