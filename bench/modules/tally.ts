import { defineEntity } from "genserverless";

/** A counter made of its events, with a snapshot behind every hundredth. */
export default defineEntity({
  name: "tally",
  version: 1,
  initial: () => ({ total: 0 }),
  events: { added: (by: number, { total }) => ({ total: total + by }) },
  commands: {
    add: (by, _state, ctx) => ctx.emit("added", Number(by)).total,
    /** As many events as it is told, in one command. */
    addOneByOne: (times, { total }, ctx) => {
      for (let time = 0; time < Number(times); time++) ctx.emit("added", 1);
      return total + Number(times);
    },
    total: (_args, { total }) => total,
  },
});
