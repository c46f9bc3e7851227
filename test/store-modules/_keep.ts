/** A counter that can be given ballast; each module of it keeps its state somewhere else. */

import { defineServer, noreply, reply } from "genserverless";

export interface Kept {
  total: number;
  ballast: string;
}

export function defineKeep(name: string, store: string) {
  return defineServer({
    name,
    version: 1,
    store,
    idleAfterMs: 300,
    init: (): Kept => ({ total: 0, ballast: "" }),
    handleCall: (_message: "total", _from, state) => reply(state.total, state),
    handleCast: (message: number | string, state) =>
      noreply(
        typeof message === "number" ? { ...state, total: state.total + message } : { ...state, ballast: message },
      ),
  });
}
