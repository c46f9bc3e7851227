import { setTimeout as sleep } from "node:timers/promises";
import { defineServer, noreply, reply } from "genserverless";

interface Note {
  kind: "call" | "cast" | "info";
  text: unknown;
  at: number;
}

interface State {
  notes: Note[];
}

/** Notes what it is sent, by which road, and when. Its init takes as long as it is told to. */
export default defineServer({
  name: "notebook",
  version: 1,
  init: async (args: { initMs?: number } | null): Promise<State> => {
    if (args?.initMs !== undefined) await sleep(args.initMs);
    return { notes: [] };
  },
  handleCall: (message: "read" | { note: unknown }, _from, state) =>
    message === "read" ? reply(state.notes, state) : reply("noted", note("call", message.note, state)),
  handleCast: (text: unknown, state) => noreply(note("cast", text, state)),
  handleInfo: (text: unknown, state) => noreply(note("info", text, state)),
});

function note(kind: Note["kind"], text: unknown, { notes }: State): State {
  return { notes: [...notes, { kind, text, at: Date.now() }] };
}
