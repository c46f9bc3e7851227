/**
 * The text that a record has for a state: the state's JSON; where it begins with `@`, where in a store it lies; where it begins
 * with `#`, a snapshot, behind which the journal has more.
 */

import type { Pid } from "./pid.ts";

/** What a record says of its journal beside the text. */
export interface JournalMark {
  /** The sequence of the last event. */
  last: number;
  incarnation: string;
  /** Of the module that committed last. */
  version: number;
}

/** Makes the JSON of a state of such a text, where it is not the state itself. */
export type ResolveState = (pid: Pid, text: string, mark: JournalMark) => Promise<string | undefined>;

const NO_MARK: JournalMark = { last: 0, incarnation: "", version: 0 };

/** `null` of a state that only its journal has, and that `resolve` cannot make. */
export async function readStateText(
  pid: Pid,
  text: string,
  resolve: ResolveState | undefined,
  mark = NO_MARK,
): Promise<string> {
  if (!text.startsWith("@") && !text.startsWith("#")) return text;
  const state = await resolve?.(pid, text, mark);
  if (state !== undefined) return state;
  if (text.startsWith("#")) return "null";
  throw new Error(`what this node knows is not enough to read the state of ${pid}`);
}
