/** What a person types as a message, on the command line and in a dashboard. */

import { toPrintable } from "./printable.ts";

/**
 * JSON; or a text where it is no JSON, so that `total` is `"total"`. What begins like an object, a list or a text in quotes and
 * is no JSON is a mistake: a SyntaxError whose message is printable.
 */
export function parseMessage(typed: string): unknown {
  try {
    return JSON.parse(typed);
  } catch (error) {
    if (!/^\s*[{["]/.test(typed)) return typed;
    throw new SyntaxError(`the message looks like JSON and is none: ${toPrintable((error as Error).message)}`);
  }
}
