import { defineServer, noreply } from "genserverless";

/** Counts. */
export default defineServer({
  name: "tally",
  version: 1,
  onDemand: true,
  init: () => 0,
  handleCast: (add: number, count) => noreply(count + add),
});
