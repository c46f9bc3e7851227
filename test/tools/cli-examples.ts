/** The examples in the help of the command line, each as it is typed. */

import { buildProgram } from "@genserverless/cli/program.ts";

type Command = ReturnType<typeof buildProgram>;

const OF_FUNCTIONS = ["deploy", "rollback", "projects", "delete", "functions", "invoke", "logs --function"];

export interface Example {
  /** Of the command. */
  name: string;
  line: string;
}

export function findExamples(): Example[] {
  const program = buildProgram({ ...process, env: {} });
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  return leaves(program).flatMap((command) => {
    let help = "";
    const collect = (written: string) => {
      help += written;
    };
    command.configureOutput({ writeOut: collect }).outputHelp();
    const lines = [...help.matchAll(/^ {2}\$ (.+)$/gm)].map(([, line = ""]) => line);
    return lines.map((line) => ({ name: command.name(), line }));
  });
}

/** Whether it works only where a functions service is, and a project alice-shop with API and Ticker. */
export function needsFunctions(line: string): boolean {
  return OF_FUNCTIONS.some((words) => line.includes(`genserverless ${words}`));
}
