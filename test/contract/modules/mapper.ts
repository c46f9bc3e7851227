import { defineServer, noreply, reply } from "genserverless";

/** Its state is a Map, which JSON cannot hold: stored as its entries, and read back from them. */
export default defineServer({
  name: "mapper",
  version: 1,
  init: () => new Map<string, unknown>(),
  handleCast: ([key, value]: [string, unknown], state) => noreply(new Map(state).set(key, value), "hibernate"),
  handleCall: (key: string, _from, state) => reply([state instanceof Map, state.get(key)], state),
  dump: (state) => [...state],
  load: (stored) => new Map(stored as [string, unknown][]),
});
