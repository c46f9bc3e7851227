import { defineServer, noreply, reply } from "genserverless";

/** The count has become a total; of a count below zero it can make nothing. */
export default defineServer({
  name: "versioned",
  version: 2,
  init: () => ({ total: 0, from: 2 }),
  handleCast: (add: number, state) => noreply({ ...state, total: state.total + add }),
  handleCall: (_message: "read", _from, state) => reply({ version: 2, ...state }, state),
  codeChange: (fromVersion, state) => {
    const { count } = state as { count: number };
    if (count < 0) throw new TypeError("what is this?");
    return { total: count, from: fromVersion };
  },
});
