/** What the commands have in common: how they are run, their arguments, their examples. */

import { parsePid } from "@genserverless/shared/process/pid.ts";
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import type { Session } from "../session.ts";

/** Makes an action of what a command does; it gets the arguments, then the options. */
export type Run = <Given extends unknown[]>(
  act: (session: Session, ...given: Given) => Promise<void>,
) => (...given: unknown[]) => Promise<void>;

export function pidArgument(): Argument {
  return new Argument("<pid>", "module/key").argParser(readPid);
}

export function readPid(text: string): string {
  const pid = parsePid(text);
  if (pid) return pid;
  throw new InvalidArgumentError("It is module/key, both of A-Z a-z 0-9 . _ ~ -");
}

/** Whole numbers from 1. */
export function readCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && Number.isSafeInteger(count)) return count;
  throw new InvalidArgumentError("It is a whole number from 1.");
}

export function keyOption(): Option {
  return new Option("--idempotency-key <key>", "with it the same command can be repeated, and is done once");
}

/** Each line is a command as it is typed; the name of the program may be left out where it is the first word. */
export function addExamples(command: Command, ...lines: string[]): void {
  const typed = lines.map((line) => (line.includes("| genserverless ") ? line : `genserverless ${line}`));
  const examples = typed.map((line) => `  $ ${line}\n`).join("");
  command.addHelpText("after", `\nExamples:\n${examples}`);
}
