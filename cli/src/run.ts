/** One run of the command line: arguments in, an exit code out, and one line on stderr where it failed. */

import { type Command, CommanderError } from "commander";
import { describeFailure, EXIT_CODES, WrongUsage } from "./failure.ts";
import { escapeText } from "./json-text.ts";
import { buildProgram } from "./program.ts";
import { isRepository } from "./repository.ts";
import type { Io } from "./settings.ts";

export async function run(args: readonly string[], io: Io): Promise<number> {
  const fail = (text: string) => io.stderr.write(`genserverless: ${escapeText(text)}\n`);
  try {
    const program = buildProgram(io);
    await program.parseAsync(spellDeploy(program, args), { from: "user" });
    return EXIT_CODES.ok;
  } catch (error) {
    if (error instanceof CommanderError) return tellUsage(error, fail);
    const { line, details = [], exitCode } = describeFailure(error);
    fail(line);
    for (const detail of details) io.stderr.write(`  ${escapeText(detail)}\n`);
    return exitCode;
  }
}

/** `genserverless user/repo` is `genserverless deploy user/repo`: a repository that stands alone, and nothing that could be a command. */
function spellDeploy(program: Command, args: readonly string[]): string[] {
  const flags = [...program.options, ...(program.commands.find((one) => one.name() === "deploy")?.options ?? [])];
  const takesValue = (arg: string) => flags.some((flag) => flag.required && (flag.long === arg || flag.short === arg));
  const operands = args.filter((arg, at) => !arg.startsWith("-") && !takesValue(args[at - 1] ?? ""));
  const [only = ""] = operands;
  return operands.length === 1 && isRepository(only) ? ["deploy", ...args] : [...args];
}

/** Help that was asked for is no failure. Commander's own texts have several lines, with a suggestion in the last. */
function tellUsage(error: CommanderError, fail: (line: string) => void): number {
  if (error.exitCode === 0) return EXIT_CODES.ok;
  // Without a command there is the help, on stderr, and nothing more to say.
  if (error.code === "commander.help") return EXIT_CODES.wrongUsage;
  fail(describeFailure(new WrongUsage(error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " "))).line);
  return EXIT_CODES.wrongUsage;
}
