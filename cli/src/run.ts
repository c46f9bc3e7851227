/** One run of the command line: arguments in, an exit code out, and one line on stderr where it failed. */

import { CommanderError } from "commander";
import { describeFailure, EXIT_CODES, WrongUsage } from "./failure.ts";
import { escapeText } from "./json-text.ts";
import { buildProgram } from "./program.ts";
import type { Io } from "./settings.ts";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const fail = (text: string) => io.stderr.write(`genserverless: ${escapeText(text)}\n`);
  try {
    await buildProgram(io).parseAsync(args, { from: "user" });
    return EXIT_CODES.ok;
  } catch (error) {
    if (error instanceof CommanderError) return tellUsage(error, fail);
    const { line, exitCode } = describeFailure(error);
    fail(line);
    return exitCode;
  }
}

/** Help that was asked for is no failure. Commander's own texts have several lines, with a suggestion in the last. */
function tellUsage(error: CommanderError, fail: (line: string) => void): number {
  if (error.exitCode === 0) return EXIT_CODES.ok;
  // Without a command there is the help, on stderr, and nothing more to say.
  if (error.code === "commander.help") return EXIT_CODES.wrongUsage;
  fail(describeFailure(new WrongUsage(error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " "))).line);
  return EXIT_CODES.wrongUsage;
}
