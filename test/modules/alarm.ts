import { defineServer, noreply } from "genserverless";

interface Alarms {
  /** In ms since the epoch. */
  dueAts: number[];
}

interface Ring {
  index: number;
  dueAt: number;
}

/** Sets timers and notes of each how late it came, in ms; one that came more than once is a fault. */
export default defineServer({
  name: "alarm",
  version: 1,
  init: () => ({ lateMs: {} as Record<string, number>, faults: [] as string[] }),
  handleCast: ({ dueAts }: Alarms, state, ctx) => {
    for (const [index, dueAt] of dueAts.entries()) ctx.sendAfter(Math.max(0, dueAt - ctx.now()), { index, dueAt });
    return noreply(state);
  },
  handleInfo: ({ index, dueAt }: Ring, { lateMs, faults }, ctx) => {
    if (index in lateMs) return noreply({ lateMs, faults: [...faults, `${index} came again`] });
    return noreply({ lateMs: { ...lateMs, [index]: ctx.now() - dueAt }, faults });
  },
});
