import { defineServer, noreply, reply } from "genserverless";
import { z } from "zod";

const amount = z.number().int().positive();

/**
 * A bank account, in cents. It is there with the first message that is sent to it, and its balance outlives every stop.
 */
export default defineServer({
  name: "account",
  version: 1,
  onDemand: true,
  keepState: "always",
  init: () => ({ balance: 0 }),
  calls: { balance: (_args, _from, state) => reply(state.balance, state) },
  casts: {
    deposit: {
      args: z.object({ amount }),
      handle: ({ amount }, { balance }) => noreply({ balance: balance + amount }),
    },
    /** Takes the amount out for a transfer, or refuses; the transfer is told which. */
    withdraw: {
      args: z.object({ amount, transfer: z.string() }),
      handle: ({ amount, transfer }, { balance }, ctx) => {
        const isCovered = amount <= balance;
        ctx.cast(transfer, isCovered ? "covered" : "refused");
        return noreply({ balance: isCovered ? balance - amount : balance });
      },
    },
  },
});
