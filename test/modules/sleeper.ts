import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, reply } from "genserverless";

/** Sleeps for so many ms in each call, and counts its calls. */
export default defineServer({
  name: "sleeper",
  version: 1,
  init: () => ({ calls: 0 }),
  handleCall: async (ms: number, _from, { calls }) => {
    await sleep(ms);
    return reply(calls + 1, { calls: calls + 1 });
  },
});
