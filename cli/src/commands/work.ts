/** work: posts to the cluster's work queue, and follows what becomes of it. */

import { setTimeout as sleep } from "node:timers/promises";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Command } from "commander";
import { writeJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";

const PATH = "/api/v1/work";
const EVERY_MS = 250;

export function addWork(program: Command, run: Run): void {
  const work = program.command("work").description("The work queue.");
  work.helpCommand(false);
  const post = work
    .command("post")
    .description("Posts work; the same data is the same work while it is pending or working.")
    .argument("<data>", "any text")
    .option("-f, --follow", "until it is worked")
    .action(run(postWork));
  addExamples(post, "work post foo", "work post foo --follow");
  const read = work
    .command("status")
    .description("The status of work: pending, working or worked.")
    .argument("<callback>", "as post prints it")
    .action(run((session, callback: string) => readWork(session, callback).then(printTo(session))));
  addExamples(read, "work status ACBD18DB4CC2F85CEDEF654FCCC4A4D8");
  const follow = work
    .command("follow")
    .description("Prints each status, until it is worked.")
    .argument("<callback>", "as post prints it")
    .action(run(followWork));
  addExamples(follow, "work follow ACBD18DB4CC2F85CEDEF654FCCC4A4D8");
}

async function postWork(session: Session, data: string, { follow }: { follow?: boolean }): Promise<void> {
  const answer = await session.door.post(PATH, { data }, session.limits);
  session.output.answer(answer, () => toPrintable(`${answer["callback"]} ${answer["status"]}`));
  if (follow) await followWork(session, String(answer["callback"]));
}

function readWork(session: Session, callback: string): Promise<Record<string, unknown>> {
  return session.door.get(`${PATH}/${encodeURIComponent(callback)}`, session.limits);
}

/** One line for each change. */
async function followWork(session: Session, callback: string): Promise<void> {
  const print = printTo(session);
  let last: unknown;
  do {
    if (last !== undefined) await sleep(EVERY_MS);
    const answer = await readWork(session, callback);
    if (answer["status"] !== last) print(answer);
    last = answer["status"];
  } while (last !== "worked");
}

function printTo({ output }: Session): (answer: Record<string, unknown>) => void {
  return (answer) => {
    const { status } = answer;
    output.answer(answer, () => (typeof status === "string" ? toPrintable(status) : writeJson(status)));
  };
}
