/** Operating one process: what overtakes its mail, and a look into its mailbox. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import type { Command } from "commander";
import type { HoldAnswer, MailboxView, QueuedMessage, RequestOptions } from "genserverless/client";
import { writeJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, pidArgument, type Run, readCount } from "./command.ts";

const HOLDS = [
  ["pause", "Holds a process back: mail is kept and none is handled, until it is resumed."],
  ["resume", "Lets a paused process go on."],
  ["unquarantine", "Lets a quarantined process go on."],
] as const;

const COLUMNS: readonly Column[] = [
  { title: "WHERE" },
  { title: "MESSAGE" },
  { title: "KIND" },
  { title: "QUEUED" },
  { title: "DUE" },
  { title: "CONTENT", atMost: 60 },
];

export function addControl(program: Command, run: Run): void {
  for (const [verb, what] of HOLDS) addHold(program, run, verb, what);
  addKill(program, run);
  addMailbox(program, run);
  addSkip(program, run);
}

function addHold(program: Command, run: Run, verb: "pause" | "resume" | "unquarantine", what: string): void {
  const hold = async (session: Session, pid: string) => {
    const answer: HoldAnswer = await session.client[verb](pid, session.limits);
    session.output.answer(answer, () => `${toPrintable(answer.pid)} ${answer.status}`);
  };
  const command = program.command(verb).description(what).addArgument(pidArgument()).action(run(hold));
  addExamples(command, `${verb} accumulator/alice`);
}

function addKill(program: Command, run: Run): void {
  const kill = async (session: Session, pid: string, { reason }: { reason?: string }) => {
    const answer = await session.client.kill(pid, reason, session.limits);
    const kept = answer.stateKept ? "its state is kept" : "its state is gone";
    session.output.answer(answer, () => `${pid} ended: ${toPrintable(answer.reason)}; ${kept}`);
  };
  const command = program
    .command("kill")
    .description("Ends a process at once, ahead of its mail and without terminate.")
    .addArgument(pidArgument())
    .option("--reason <reason>", "told to those who watch it (killed)")
    .action(run(kill));
  addExamples(command, "kill accumulator/alice", "kill accumulator/alice --reason 'runs wild'");
}

function addMailbox(program: Command, run: Run): void {
  const look = async (session: Session, pid: string, { limit }: { limit: number }) => {
    const view = await session.client.mailbox(pid, { limit, ...session.limits });
    session.output.answer(view, () => describeMailbox(session, view));
  };
  const command = program
    .command("mailbox")
    .description("What is in hand, what waits, head first, and what is delayed.")
    .addArgument(pidArgument())
    .option("--limit <n>", "of each at most so many", readCount, 100)
    .action(run(look));
  addExamples(command, "mailbox accumulator/alice", "mailbox accumulator/alice --limit 10 --json");
}

function describeMailbox({ output }: Session, view: MailboxView): string[] {
  const { waiting, delayed, failed } = view.mailbox;
  const counts = `${waiting} waiting, ${delayed} delayed, ${failed} failed`;
  const head = `${toPrintable(view.pid)} ${view.status}: ${counts}`;
  const owed = view.continue ? [["continue", "-", "continue", "-", "-", writeJson(view.continue.value)]] : [];
  const places = (["running", "waiting", "delayed"] as const).flatMap((place) =>
    view[place].map((message) => rowOf(place, message)),
  );
  const rows = [...owed, ...places];
  const cut = view.isCut ? ["… some were left out because of their size"] : [];
  return [head, ...(rows.length > 0 ? output.layTable(COLUMNS, rows) : []), ...cut];
}

function rowOf(place: string, { messageId, kind, queuedAt, dueAt, message }: QueuedMessage): string[] {
  return [place, toPrintable(messageId), toPrintable(kind), queuedAt, dueAt ?? "-", writeJson(message)];
}

function addSkip(program: Command, run: Run): void {
  const skip = async (session: Session, pid: string, id: string | undefined) => {
    const options: RequestOptions = session.limits;
    const answer = await session.client.skip(pid, id, options);
    const what = answer.messageId === undefined ? answer.kind : `${answer.kind} ${answer.messageId}`;
    session.output.answer(answer, () => `${pid} skipped: ${toPrintable(what)}`);
  };
  const command = program
    .command("skip")
    .description("Drops what a paused or quarantined process would handle next.")
    .addArgument(pidArgument())
    .argument("[id]", "only where it is this message")
    .action(run(skip));
  addExamples(command, "skip accumulator/alice");
}
