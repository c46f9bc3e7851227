/** journal: the events of an event-sourced process, and what they had come to. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { JournalEvent } from "genserverless/client";
import { Refused, WrongUsage } from "../failure.ts";
import { readStream } from "../follow.ts";
import { writeJson, writeReadableJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, pidArgument, type Run, readCount } from "./command.ts";

interface JournalFlags {
  from?: number;
  limit: number;
  follow?: boolean;
  at?: number | Date;
}

const MOST_ON_A_PAGE = 1_000;

export function addJournal(program: Command, run: Run): void {
  const journal = program
    .command("journal")
    .description("The events of an event-sourced process, in order; or its state as it was.")
    .addArgument(pidArgument())
    .option("--from <sequence>", "the first event; of those that are kept, the first", readCount)
    .option("--limit <n>", "at most so many events", readCount, 100)
    .option("-f, --follow", "goes on with what comes")
    .addOption(
      new Option("--at <when>", "the state after this event, or at this time, e.g. 2030-01-01T12:00:00Z").argParser(
        readWhen,
      ),
    )
    .action(run(showJournal));
  addExamples(journal, "journal cart/viktor", "journal cart/viktor --follow --from 10", "journal cart/viktor --at 7");
}

async function showJournal(session: Session, pid: string, flags: JournalFlags): Promise<void> {
  const { at, follow, from } = flags;
  if (at !== undefined && (follow || from !== undefined))
    throw new WrongUsage("--at shows one state: no --from, no --follow");
  if (at !== undefined) await showState(session, pid, at);
  else if (follow) await followEvents(session, pid, flags);
  else await listEvents(session, pid, flags);
}

async function showState({ client, output, limits }: Session, pid: string, at: number | Date): Promise<void> {
  const shown = await client.stateAt(pid, at, limits);
  output.answer(shown, () => [`event ${shown.sequence}  ${shown.at ?? "-"}`, writeReadableJson(shown.state)]);
}

async function listEvents({ client, output, limits }: Session, pid: string, flags: JournalFlags): Promise<void> {
  let next = flags.from;
  let left = flags.limit;
  let last = 0;
  do {
    const page = await client.journal(pid, {
      ...(next !== undefined && { from: next }),
      limit: Math.min(left, MOST_ON_A_PAGE),
      ...limits,
    });
    for (const event of page.events) output.answer(event, () => describeEvent(event));
    left -= page.events.length;
    next = page.next;
    last = page.last;
  } while (next !== undefined && left > 0);
  if (next !== undefined) output.note(`there is more, up to event ${last}: --limit, or --from ${next}`);
  else if (left === flags.limit) output.note("no events");
}

async function followEvents(session: Session, pid: string, { from }: JournalFlags): Promise<void> {
  const path = `/v1/processes/${pid}/journal/stream${from === undefined ? "" : `?from=${from}`}`;
  await readStream(session, path, true, ({ event, data }) => {
    if (event === "ended")
      throw new Refused(`the journal has ended: ${(JSON.parse(data) as { reason: string }).reason}`);
    if (event !== "event") return;
    const told = JSON.parse(data) as JournalEvent;
    session.output.answer(told, () => describeEvent(told));
  });
}

/** `7  2030-01-01T12:00:00.000Z itemAdded {"productId":"1"}`, and the version where it is not the first. */
function describeEvent({ sequence, at, type, data, version }: JournalEvent): string {
  const of = version === 1 ? "" : ` v${version}`;
  return `${String(sequence).padStart(6)}  ${toPrintable(at)}  ${toPrintable(type)}${of} ${writeJson(data)}`;
}

function readWhen(text: string): number | Date {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const time = new Date(text);
  if (!Number.isNaN(time.getTime()) && /^\d{4}-/.test(text)) return time;
  throw new InvalidArgumentError("It is the sequence of an event, or a time, e.g. 2030-01-01T12:00:00Z.");
}
