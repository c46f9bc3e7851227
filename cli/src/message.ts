/**
 * A message on the command line: JSON; or a text where it is no JSON, so that `total` is `"total"`. What begins like an object, a
 * list or a text in quotes and is no JSON is a mistake, and told as one. `-` is read from standard input by the same rule.
 */

import { text } from "node:stream/consumers";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { WrongUsage } from "./failure.ts";
import type { Io } from "./settings.ts";

export async function readMessage(argument: string, { stdin }: Io): Promise<unknown> {
  if (argument !== "-") return parseMessage(argument);
  const given = (await text(stdin)).replace(/\r?\n$/, "");
  if (given === "") throw new WrongUsage("there is no message on standard input");
  return parseMessage(given);
}

export function parseMessage(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch (error) {
    if (!/^\s*[{["]/.test(given)) return given;
    throw new WrongUsage(`the message looks like JSON and is none: ${toPrintable((error as Error).message)}`);
  }
}
