import { defineServer, noreply, reply } from "genserverless";

/** A version that cannot make anything of the states of others. */
export default defineServer({
  name: "versioned",
  version: 3,
  init: () => ({ total: 0 }),
  handleCast: (add: number, state) => noreply({ total: state.total + add }),
  handleCall: (_message: "read", _from, state) => reply({ version: 3, ...state }, state),
  codeChange: () => {
    throw new TypeError("what is this?");
  },
});
