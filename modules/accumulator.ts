import { defineServer, noreply, reply } from "genserverless";

/** Adds up the numbers it is sent: a cast of a number, or a call of `{ add }`, whose reply is the new total. */
export default defineServer({
  name: "accumulator",
  version: 1,
  init: (start: unknown, ctx) => {
    const initial = Number.isFinite(start) ? Number(start) : 0;
    ctx.log.info({ initial }, "accumulator init");
    return { acc: initial, count: 0 };
  },
  handleCast: (val: number, state, ctx) => {
    const added = add(state, val);
    ctx.log.info({ val, ...added }, "accumulator cast");
    return noreply(added);
  },
  handleCall: (message: "total" | { add: number }, _from, state) => {
    if (message === "total") return reply(state.acc, state);
    const added = add(state, message?.add ?? message);
    return reply(added.acc, added);
  },
  terminate: (reason, { acc, count }, ctx) => ctx.log.info({ reason, final: acc, count }, "accumulator terminate"),
});

function add(state: { acc: number; count: number }, value: unknown) {
  const acc = state.acc + Number(value);
  if (typeof value !== "number" || !Number.isFinite(acc)) {
    throw new TypeError(`accumulator cannot add ${JSON.stringify(value)} to ${state.acc}`);
  }
  return { acc, count: state.count + 1 };
}
