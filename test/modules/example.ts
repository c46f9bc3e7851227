import { defineServer, noreply, reply } from "genserverless";

/** A name and its score. */
export default defineServer({
  name: "example",
  version: 1,
  init: (name: unknown) => ({ name, score: 0 }),
  handleCast: (_message: "increment_score", state) => noreply({ ...state, score: state.score + 1 }),
  handleCall: (_message: "read_score", _from, state) => reply(state.score, state),
});
