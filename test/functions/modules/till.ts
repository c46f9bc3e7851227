import { defineServer, noreply } from "genserverless";

/** Tells the topic `orders` whatever it is told. */
export default defineServer({
  name: "till",
  version: 1,
  onDemand: true,
  init: () => null,
  handleCast: (order: unknown, state, ctx) => {
    ctx.publish("orders", order);
    return noreply(state);
  },
});
