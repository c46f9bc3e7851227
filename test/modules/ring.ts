import { defineServer, noreply } from "genserverless";

/** A token on its way, numbered by the process that sends it. */
interface Token {
  number: number;
  hops: number;
}

/** One of a ring: passes each token on, numbers what it sends, and notes what does not come exactly once and in order. */
export default defineServer({
  name: "ring",
  version: 1,
  init: ({ next }: { next: string }) => ({ next, sent: 0, got: 0, ended: 0, faults: [] as string[] }),
  handleCast: (message: Token | { inject: number; hops: number }, { next, ...state }, ctx) => {
    const pass = (hops: number) => ctx.cast(next, { number: ++state.sent, hops });
    if ("inject" in message) {
      for (let token = 0; token < message.inject; token++) pass(message.hops);
      return noreply({ next, ...state });
    }
    state.got += 1;
    const faults =
      message.number === state.got ? state.faults : [...state.faults, `${message.number} came as number ${state.got}`];
    if (message.hops > 1) pass(message.hops - 1);
    else state.ended += 1;
    return noreply({ next, ...state, faults: faults.slice(0, 10) });
  },
});
