/** A counter that can be given ballast and can kill another; each module of it keeps its state somewhere else. */

import { defineServer, noreply, reply } from "genserverless";

export interface Kept {
  total: number;
  ballast: string;
}

type Cast = number | string | { kill: string };

export function defineKeep(name: string, store: string, keepState: "never" | "after-crash" = "after-crash") {
  return defineServer({
    name,
    version: 1,
    store,
    keepState,
    idleAfterMs: 300,
    init: (): Kept => ({ total: 0, ballast: "" }),
    handleCall: (_message: "total", _from, state) => reply(state.total, state),
    handleCast: (message: Cast, state, ctx) => {
      if (typeof message === "number") return noreply({ ...state, total: state.total + message });
      if (typeof message === "string") return noreply({ ...state, ballast: message });
      ctx.exit(message.kill, "kill");
      return noreply(state);
    },
  });
}
