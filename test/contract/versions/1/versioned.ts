import { defineServer, noreply, reply } from "genserverless";

/** Counts; see `versions/` for what becomes of it. */
export default defineServer({
  name: "versioned",
  version: 1,
  init: () => ({ count: 0 }),
  handleCast: (add: number, state) => noreply({ count: state.count + add }),
  handleCall: (_message: "read", _from, state) => reply({ version: 1, ...state }, state),
});
