/** The commands of the command line, in the order in which --help lists them. */

import { Command } from "commander";
import { addBulkCommands } from "./commands/bulk.ts";
import { addClusterCommands } from "./commands/cluster.ts";
import type { Run } from "./commands/command.ts";
import { addCompletion } from "./commands/completion.ts";
import { addControl } from "./commands/control.ts";
import { addDeadLetters } from "./commands/dead-letters.ts";
import { addDeploy } from "./commands/deploy.ts";
import { addFunctions } from "./commands/functions.ts";
import { addInit } from "./commands/init.ts";
import { addInvoke } from "./commands/invoke.ts";
import { addJournal } from "./commands/journal.ts";
import { addLogs } from "./commands/logs.ts";
import { addMessaging } from "./commands/messaging.ts";
import { addProcesses } from "./commands/processes.ts";
import { addProjects } from "./commands/projects.ts";
import { addShell } from "./commands/shell.ts";
import { addTop } from "./commands/top.ts";
import { addTransfer } from "./commands/transfer.ts";
import { addWork } from "./commands/work.ts";
import { Session } from "./session.ts";
import type { Flags, Io } from "./settings.ts";

const AFTER_HELP = `
A pid is module/key, e.g. accumulator/alice. A message is JSON; what is no JSON is
a text, so that total is "total"; - reads it from standard input. A duration is
e.g. 500ms, 5s or 2m; a bare number is ms. A project is USER-REPO.

Settings:
  GENSERVERLESS_URL  the cluster's load balancer (http://127.0.0.1:8080, or LB_PORT)
  API_TOKEN          the bearer token
  NO_COLOR           no colours

Exit codes:
  0  done
  1  the cluster said no, a deployment failed, a function answered 400 or more
  2  wrong usage
  3  the cluster cannot be reached, or cannot serve now
  4  no reply in time, or the outcome is not known
  5  the token is missing or wrong
  70 a defect of genserverless itself`;

export function buildProgram(io: Io): Command {
  const program = new Command("genserverless")
    .description("Talks to a cluster of durable processes and functions, over HTTP.")
    .option("--url <url>", "the cluster's load balancer")
    .option("--token <token>", "the bearer token; API_TOKEN does not show in a list of processes")
    .option("--timeout <duration>", "how long an answer may take; of call, how long the reply may take (5s)")
    .option("--json", "one line of JSON for each answer, and for each item of a list")
    .helpOption("-h, --help", "what a command does, with examples")
    .helpCommand(false)
    .addHelpText("after", AFTER_HELP)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Told by run.ts, in one line.
      outputError: () => {},
    });
  const run: Run =
    (act) =>
    (...given) =>
      runAct(io, given, (session, args) => act(session, ...(args as never)));
  addMessaging(program, run);
  addProcesses(program, run);
  addJournal(program, run);
  addControl(program, run);
  addDeadLetters(program, run);
  addTransfer(program, run);
  addBulkCommands(program, run);
  addClusterCommands(program, run);
  addTop(program, run);
  addLogs(program, run);
  addWork(program, run);
  addInit(program, run);
  addDeploy(program, run);
  addProjects(program, run);
  addFunctions(program, run);
  addInvoke(program, run);
  addShell(program, run);
  addCompletion(program, run);
  return program;
}

/** Of what commander hands over, the last is the command. */
async function runAct(
  io: Io,
  given: unknown[],
  act: (session: Session, args: unknown[]) => Promise<void>,
): Promise<void> {
  const command = given.at(-1) as Command;
  await using session = new Session(command.optsWithGlobals<Flags>(), io);
  try {
    await act(session, given.slice(0, -1));
  } catch (error) {
    throw session.explain(error);
  }
}
