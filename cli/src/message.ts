/** A message on the command line: as a person types it, or `-` for the same from standard input. */

import { text } from "node:stream/consumers";
import { parseMessage } from "@genserverless/shared/text/message.ts";
import { WrongUsage } from "./failure.ts";
import type { Io } from "./settings.ts";

export async function readMessage(argument: string, { stdin }: Io): Promise<unknown> {
  if (argument !== "-") return parse(argument);
  const given = (await text(stdin)).replace(/\r?\n$/, "");
  if (given === "") throw new WrongUsage("there is no message on standard input");
  return parse(given);
}

function parse(given: string): unknown {
  try {
    return parseMessage(given);
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}
