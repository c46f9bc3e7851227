import { defineEntity } from "genserverless";

interface Turnstile {
  is: "locked" | "open";
  coins: number;
}

/** Which commands and events there are depends on what it is. */
export default defineEntity({
  name: "turnstile",
  version: 1,
  initial: (): Turnstile => ({ is: "locked", coins: 0 }),
  behavior: ({ is }) =>
    is === "locked"
      ? {
          commands: { pay: (_args, _state, ctx) => void ctx.emit("paid", 1) },
          events: { paid: (coins: number, state): Turnstile => ({ is: "open", coins: state.coins + coins }) },
        }
      : {
          commands: {
            pass: (_args, _state, ctx) => {
              ctx.emit("passed", null);
              // The event has locked it: what is known now is what a locked one knows.
              ctx.emit("paid", 1);
            },
          },
          events: { passed: (_nothing: null, { coins }): Turnstile => ({ is: "locked", coins }) },
        },
});
