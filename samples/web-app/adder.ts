import { defineServer, noreply, reply } from "genserverless";

/** Adds up the numbers it is sent, as modules/accumulator.ts does, in a web app. */
export default defineServer({
  name: "adder",
  version: 1,
  retry: { attempts: 20, backoff: { type: "exponential", delay: 100 } },
  init: (start: unknown, ctx) => {
    const initial = typeof start === "number" ? start : 0;
    ctx.log.info({ initial }, "adder init");
    return { acc: initial, count: 0 };
  },
  handleCast: (val: number, state, ctx) => {
    if (typeof val !== "number") throw new TypeError(`adder cannot add ${JSON.stringify(val)}`);
    const added = { acc: state.acc + val, count: state.count + 1 };
    ctx.log.info({ val, ...added }, "adder cast");
    return noreply(added);
  },
  handleCall: (_message: "total", _from, state) => reply(state.acc, state),
  terminate: (reason, { acc, count }, ctx) => ctx.log.info({ reason, final: acc, count }, "adder terminate"),
});
