/** The text that a record has for a state: the state's JSON, or, where it begins with `@`, where in a store it lies. */

import type { Pid } from "./pid.ts";

/** Reads the JSON of a state that lies in a store of its own. */
export type ResolveState = (pid: Pid, reference: string) => Promise<string | undefined>;

export async function readStateText(pid: Pid, text: string, resolve: ResolveState | undefined): Promise<string> {
  if (!text.startsWith("@")) return text;
  const state = await resolve?.(pid, text);
  if (state === undefined) throw new Error(`the state of ${pid} lies in a store that this node does not know`);
  return state;
}
