/** The words of a command line up to the cursor → what may stand in place of the last one. */

import type { Argument, Command, Option } from "commander";
import type { CandidateSource } from "./candidates.ts";

type Candidates = Pick<CandidateSource, "modules" | "pids" | "projects" | "functions" | "functionNames">;

export async function findCandidates(
  program: Command,
  words: readonly string[],
  source: Candidates,
): Promise<string[]> {
  const prefix = words.at(-1) ?? "";
  const { command, given, open } = follow(program, words.slice(0, -1));
  const fitting = (names: readonly string[]) => names.filter((name) => name.startsWith(prefix));
  if (open) return completeOption(open, prefix, source);
  if (prefix.startsWith("-")) return fitting(optionsOf(command, program).map(({ long }) => long ?? ""));
  const commands = visibleCommands(command);
  if (commands.length > 0) return fitting(commands);
  const argument = argumentAt(command, given.length);
  if (argument?.name() === "function") return source.functions(given.at(-1) ?? "", prefix);
  return argument ? complete(argument.name(), argument.argChoices, prefix, source) : [];
}

interface Place {
  command: Command;
  /** The arguments of the command that stand before. */
  given: readonly string[];
  /** The option whose value is to follow. */
  open: Option | undefined;
}

function follow(program: Command, words: readonly string[]): Place {
  let place: Place = { command: program, given: [], open: undefined };
  for (const word of words) place = step(program, place, word);
  return place;
}

function step(program: Command, { command, given, open }: Place, word: string): Place {
  if (open) return { command, given, open: undefined };
  if (word.startsWith("-") && word !== "-") {
    const option = optionsOf(command, program).find(({ long, short }) => word === long || word === short);
    return { command, given, open: option && (option.required || option.optional) ? option : undefined };
  }
  const inner = command.commands.find((one) => one.name() === word);
  return inner ? { command: inner, given: [], open: undefined } : { command, given: [...given, word], open: undefined };
}

function optionsOf(command: Command, program: Command): readonly Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...(command === program ? [] : program.options)];
}

function visibleCommands(command: Command): string[] {
  const help = command.createHelp();
  return help.visibleCommands(command).map((one) => one.name());
}

function argumentAt(command: Command, index: number): Argument | undefined {
  const { registeredArguments: all } = command;
  return all[index] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined);
}

function completeOption(option: Option, prefix: string, source: Candidates): Promise<string[]> {
  if (option.name() === "function") return source.functionNames(prefix);
  return complete(option.name(), option.argChoices, prefix, source);
}

/** By what the argument or option is called. */
async function complete(
  name: string,
  choices: readonly string[] | undefined,
  prefix: string,
  source: Candidates,
): Promise<string[]> {
  if (choices) return choices.filter((choice) => choice.startsWith(prefix));
  if (name === "pid" || name === "as") return source.pids(prefix);
  if (name === "project") return source.projects(prefix);
  return name === "module" || name === "target" ? source.modules(prefix) : [];
}
