import { defineEntity } from "genserverless";

/** A counter made of its events. Each add emits as many as it adds, so that a torn command would show. */
export default defineEntity({
  name: "tally",
  version: 1,
  initial: () => ({ total: 0 }),
  events: { added: (by: number, { total }) => ({ total: total + by }) },
  commands: {
    add: (by, _state, ctx) => {
      let total = 0;
      for (let one = 0; one < Number(by); one++) total = ctx.emit("added", 1).total;
      return total;
    },
    total: (_args, { total }) => total,
  },
  snapshotEvery: 10,
  retention: { events: 30 },
});
