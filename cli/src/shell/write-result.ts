/** A value as the prompt shows it. What came from the cluster reaches the terminal without its control characters. */

import { inspect } from "node:util";
import { ConnectionError, ProblemError } from "genserverless/client";
import { escapeText } from "../json-text.ts";

const ESCAPE = "\u001b";
const COLOUR = new RegExp(`(${ESCAPE}\\[\\d+(?:;\\d+)*m)`);

export function writeResult(value: unknown, hasColour: boolean): string {
  // What the cluster said is enough; where in the client it was thrown tells nothing.
  if (value instanceof ProblemError || value instanceof ConnectionError) {
    return escapeText(`${value.name}: ${value.message}`);
  }
  const text = inspect(value, { colors: hasColour, depth: 10 });
  return text.split("\n").map(escapeLine).join("\n");
}

/** Of what could move a cursor, the colours alone stay. */
function escapeLine(line: string): string {
  return line
    .split(COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : escapeText(part)))
    .join("");
}
