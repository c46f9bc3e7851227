import { defineServer, type From, noreply, reply } from "genserverless";
import { z } from "zod";

const Order = z.strictObject({ from: z.string(), to: z.string(), amount: z.number().int().positive() });
type Status = "pending" | "done" | "refused";

interface State extends z.infer<typeof Order> {
  status: Status;
  waiting: From[];
}

/**
 * Moves cents from one account to another. No lock and no compensation: a step's state and the message to the next step are
 * one commit, and a message arrives exactly once. Whatever node dies on the way, no cent is lost and none is moved twice.
 * The key names the transfer: whoever is not sure whether it was ordered orders it again.
 */
export default defineServer({
  name: "transfer",
  version: 1,
  init: (args: unknown, ctx): State => {
    const order = Order.parse(args);
    ctx.cast(`account/${order.from}`, { withdraw: { amount: order.amount, transfer: ctx.pid } });
    return { ...order, status: "pending", waiting: [] };
  },
  calls: {
    /** Answers when it is known. */
    outcome: (_args, from, state) =>
      state.status === "pending"
        ? noreply({ ...state, waiting: [...state.waiting, from] })
        : reply(state.status, state),
  },
  casts: {
    covered: (_args, state, ctx) => {
      ctx.cast(`account/${state.to}`, { deposit: { amount: state.amount } });
      for (const from of state.waiting) ctx.reply(from, "done");
      return noreply({ ...state, status: "done", waiting: [] });
    },
    refused: (_args, state, ctx) => {
      for (const from of state.waiting) ctx.reply(from, "refused");
      return noreply({ ...state, status: "refused", waiting: [] });
    },
  },
});
