import { setTimeout as sleep } from "node:timers/promises";
import { defineEntity, type EntityContext } from "genserverless";
import { z } from "zod";

/** Only a list that is changed in place shows what a failed command leaves behind. */
interface Ledger {
  entries: number[];
}
type Events = { entered: number; cleared: null };
type Ctx = EntityContext<Ledger, Events>;

let late: Ctx | undefined;

export default defineEntity({
  name: "ledger",
  version: 1,
  turnTimeoutMs: 2_000,
  retry: { attempts: 3 },
  initial: (key): Ledger => ({ entries: key.startsWith("filled") ? [1] : [] }),
  events: {
    entered: (amount: number, ledger) => {
      ledger.entries.push(amount);
      return ledger;
    },
    cleared: (_nothing: null) => ({ entries: [] }),
  },
  commands: {
    enter: { args: z.int(), handle: (amount, _ledger, ctx) => ctx.emit("entered", amount).entries.length },
    enterAll: {
      args: z.array(z.int()),
      handle: (amounts, _ledger, ctx) => {
        for (const amount of amounts) ctx.emit("entered", amount);
      },
    },
    clear: (_args, _ledger, ctx) => void ctx.emit("cleared", null),
    entries: (_args, ledger) => ledger.entries,
    refuse: (_args, _ledger, ctx) => {
      ctx.emit("entered", 666);
      ctx.fail("not today");
    },
    swallow: (_args, _ledger, ctx) => {
      try {
        ctx.fail("caught, and failed");
      } catch {}
      ctx.emit("entered", 666);
    },
    crash: (_args, _ledger, ctx) => {
      ctx.emit("entered", 666);
      throw new Error("after an event");
    },
    dawdle: async (_args, _ledger, ctx) => {
      ctx.emit("entered", 666);
      await sleep(60_000, undefined, { ref: false });
    },
    stray: (_args, _ledger, ctx) => ctx.emit("unheard-of" as never, null as never),
    hold: (_args, _ledger, ctx) => {
      late = ctx as Ctx;
    },
    useHeld: () => {
      try {
        late?.emit("entered", 666);
        return "emitted";
      } catch (error) {
        return (error as Error).message;
      }
    },
    remind: (_args, _ledger, ctx) => void ctx.sendAfter(10, { enter: 7 }),
  },
  snapshotEvery: 4,
});
