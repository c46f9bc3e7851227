/** dead-letters: the messages that a process could not handle. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { Command } from "commander";
import type { DeadLetter } from "genserverless/client";
import { WrongUsage } from "../failure.ts";
import { writeJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, pidArgument, type Run } from "./command.ts";

const COLUMNS: readonly Column[] = [
  { title: "MESSAGE" },
  { title: "KIND" },
  { title: "FAILED" },
  { title: "DEATHS", align: "right" },
  { title: "REASON", atMost: 60 },
  { title: "CONTENT", atMost: 60 },
];

export function addDeadLetters(program: Command, run: Run): void {
  const letters = program.command("dead-letters").description("Messages that a process could not handle.");
  letters.helpCommand(false);
  const list = letters
    .command("list")
    .description("Lists them, newest first, also those of earlier lives.")
    .addArgument(pidArgument())
    .action(run(listLetters));
  addExamples(list, "dead-letters list accumulator/alice");
  const retry = letters
    .command("retry")
    .description("Puts one, or all, oldest first, back at the end of the mailbox.")
    .addArgument(pidArgument())
    .argument("[id]", "of the message")
    .option("--all", "all of them")
    .action(run(retryLetters));
  addExamples(retry, "dead-letters retry accumulator/alice --all");
  const drop = letters
    .command("drop")
    .description("Drops one, or all, for good.")
    .addArgument(pidArgument())
    .argument("[id]", "of the message")
    .option("--all", "all of them")
    .action(run(dropLetters));
  addExamples(drop, "dead-letters drop accumulator/alice --all");
}

async function listLetters(session: Session, pid: string): Promise<void> {
  const letters = await session.client.deadLetters(pid, session.limits);
  session.output.table(letters, COLUMNS, rowOf, "no dead letters");
}

function rowOf({ messageId, kind, failedAt, deaths, reason, message }: DeadLetter): string[] {
  const told = [toPrintable(messageId), toPrintable(kind), failedAt, String(deaths)];
  return [...told, toPrintable(reason), writeJson(message)];
}

interface Choice {
  all?: boolean;
}

async function retryLetters({ client, limits, output }: Session, pid: string, id: string | undefined, choice: Choice) {
  const one = requireChoice(id, choice);
  const answer = one ? await client.retryDeadLetter(pid, one, limits) : await client.retryDeadLetters(pid, limits);
  output.answer(answer, () => `${"retried" in answer ? answer.retried : 1} put back`);
}

async function dropLetters({ client, limits, output }: Session, pid: string, id: string | undefined, choice: Choice) {
  const one = requireChoice(id, choice);
  const answer = one ? await client.dropDeadLetter(pid, one, limits) : await client.dropDeadLetters(pid, limits);
  output.answer(answer, () => `${"dropped" in answer ? answer.dropped : 1} dropped`);
}

/** The one message; undefined for all of them. */
function requireChoice(id: string | undefined, { all = false }: Choice): string | undefined {
  if ((id !== undefined) === all) throw new WrongUsage("name one message, or give --all");
  return id;
}
