import { defineServer, noreply } from "genserverless";

/** When each timer is due, by its name, in ms since the epoch. */
export type Alarms = Record<string, number>;

export interface AlarmClock {
  set: number;
  /** How late each timer came that has come, by its name, in ms. */
  lateMs: Record<string, number>;
  /** How often one came that had come before. */
  doubled: number;
}

interface Alarm {
  name: string;
  dueAt: number;
}

/** Bench W7: sets timers, and notes how late each came. */
export default defineServer({
  name: "alarm-clock",
  version: 1,
  init: (): AlarmClock => ({ set: 0, lateMs: {}, doubled: 0 }),
  handleCast: (alarms: Alarms, state, ctx) => {
    const entries = Object.entries(alarms);
    for (const [name, dueAt] of entries) ctx.sendAfter(Math.max(0, dueAt - ctx.now()), { name, dueAt }, { name });
    return noreply({ ...state, set: state.set + entries.length });
  },
  handleInfo: ({ name, dueAt }: Alarm, state, ctx) => {
    if (name in state.lateMs) return noreply({ ...state, doubled: state.doubled + 1 });
    return noreply({ ...state, lateMs: { ...state.lateMs, [name]: ctx.now() - dueAt } });
  },
});
