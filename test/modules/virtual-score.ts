import { defineServer, noreply, reply } from "genserverless";

/** The score of `example` as a virtual actor: the first message starts it, and it never falls asleep by itself. */
export default defineServer({
  name: "virtual-score",
  version: 1,
  onDemand: true,
  idleAfterMs: Infinity,
  init: () => ({ score: 0 }),
  calls: { read_score: (_args, _from, state) => reply(state.score, state) },
  casts: { increment_score: (_args, { score }) => noreply({ score: score + 1 }) },
  infos: { increment_score: (_args, { score }) => noreply({ score: score + 1 }) },
});
