/**
 * The text that a record has for a state: the state's JSON; where it begins with `@`, where in a store it lies; where it begins
 * with `#`, a snapshot, behind which the journal has more.
 */

import type { Pid } from "./pid.ts";

/** Makes the JSON of a state of such a text, where it is not the state itself. */
export type ResolveState = (pid: Pid, reference: string) => Promise<string | undefined>;

export async function readStateText(pid: Pid, text: string, resolve: ResolveState | undefined): Promise<string> {
  if (!text.startsWith("@") && !text.startsWith("#")) return text;
  const state = await resolve?.(pid, text);
  if (state === undefined) throw new Error(`what this node knows is not enough to read the state of ${pid}`);
  return state;
}
