import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, noreply, reply } from "genserverless";

interface Note {
  kind: "cast" | "info";
  text: unknown;
  at: number;
}

/** Notes what it is sent, by which road, and when. Its init takes as long as it is told to. */
export default defineServer({
  name: "notebook",
  version: 1,
  init: async (args: { initMs?: number } | null) => {
    if (args?.initMs !== undefined) await sleep(args.initMs);
    return { notes: [] as Note[] };
  },
  handleCall: (_message: "read", _from, state) => reply(state.notes, state),
  handleCast: (text: unknown, state) => noreply({ notes: [...state.notes, { kind: "cast", text, at: Date.now() }] }),
  handleInfo: (text: unknown, state) => noreply({ notes: [...state.notes, { kind: "info", text, at: Date.now() }] }),
});
