import { defineEntity } from "genserverless";

/** A counter that is made of all its events each time. */
export default defineEntity({
  name: "tally-without-snapshots",
  version: 1,
  initial: () => ({ total: 0 }),
  events: { added: (by: number, { total }) => ({ total: total + by }) },
  commands: {
    addOneByOne: (times, { total }, ctx) => {
      for (let time = 0; time < Number(times); time++) ctx.emit("added", 1);
      return total + Number(times);
    },
    total: (_args, { total }) => total,
  },
  snapshotEvery: 1_000_000_000,
});
