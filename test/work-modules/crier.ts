import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, reply } from "genserverless";

/** Does work for a while, in capitals, and has it counted once for each time that it was done. */
export default defineServer({
  name: "crier",
  version: 1,
  init: () => null,
  handleCall: async ({ data }: { data: string }, _from, state, ctx) => {
    if (data === "unspeakable") throw new Error("cannot cry this");
    await sleep(400);
    ctx.cast(`tally/${ctx.key}`, 1);
    return reply(data.toUpperCase(), state);
  },
});
