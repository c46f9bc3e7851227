import { defineServer, noreply, reply } from "genserverless";

/** The count has become a total. */
export default defineServer({
  name: "versioned",
  version: 2,
  init: () => ({ total: 0, from: 2 }),
  handleCast: (add: number, state) => noreply({ ...state, total: state.total + add }),
  handleCall: (_message: "read", _from, state) => reply({ version: 2, ...state }, state),
  codeChange: (fromVersion, state) => ({ total: (state as { count: number }).count, from: fromVersion }),
});
