/** bulk: one act on every process that matches, with a count beforehand, so that its progress can be shown. */

import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { Argument, type Command } from "commander";
import type { BulkAction, BulkAnswer, BulkFilter, ProcessStatus } from "genserverless/client";
import { Refused, WrongUsage } from "../failure.ts";
import { drawBar } from "../progress-bar.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";
import { addFilter, readFilter } from "./processes.ts";

const ACTIONS: readonly BulkAction[] = [
  "pause",
  "resume",
  "unquarantine",
  "kill",
  "stop",
  "retry-dead-letters",
  "drop-dead-letters",
];

interface BulkFlags {
  module?: string;
  status?: ProcessStatus;
  tag?: string;
  owner?: string;
  all?: boolean;
  dryRun?: boolean;
  reason?: string;
}

/** Without `nextCursor`, over all requests. */
type Total = Omit<BulkAnswer, "nextCursor">;

export function addBulkCommands(program: Command, run: Run): void {
  const bulk = program
    .command("bulk")
    .description("Acts on every process that the filter matches.")
    .addArgument(new Argument("<action>", "what to do").choices(ACTIONS));
  addFilter(bulk)
    .option("--all", "every process; stands alone")
    .option("--dry-run", "only counts")
    .option("--reason <reason>", "of kill and stop")
    .action(run(actOnMany));
  addExamples(
    bulk,
    "bulk pause --module accumulator --dry-run",
    "bulk stop --tag demo",
    "bulk retry-dead-letters --module stack",
  );
}

async function actOnMany(session: Session, action: BulkAction, flags: BulkFlags): Promise<void> {
  const filter = readBulkFilter(flags);
  const progress = session.output.progress();
  let total: Total;
  try {
    const { matched } = await goThrough(session, action, filter, { dryRun: true }, () => {});
    const show = ({ done, failed }: Total) => {
      const gone = done + failed.length;
      progress.show(`${drawBar(gone, matched)} ${gone} of ${matched}`);
    };
    const reason = flags.reason === undefined ? {} : { reason: flags.reason };
    total = flags.dryRun
      ? { matched, done: 0, failed: [] }
      : await goThrough(session, action, filter, { dryRun: false, ...reason }, show);
  } finally {
    progress.end();
  }
  session.output.answer(total, () => [
    `${total.matched} matched, ${total.done} done, ${total.failed.length} failed`,
    ...total.failed.map(({ pid, code }) => toPrintable(`${pid}: ${code}`)),
  ]);
  if (total.failed.length > 0) throw new Refused(`${total.failed.length} of ${total.matched} failed`);
}

function readBulkFilter(flags: BulkFlags): BulkFilter {
  const filter = readFilter(flags);
  const isEmpty = Object.keys(filter).length === 0;
  if (isEmpty !== (flags.all === true)) throw new WrongUsage("give a filter, or --all alone");
  return isEmpty ? { all: true } : filter;
}

/** A request takes up to 20 s and says where the next one is to go on. */
async function goThrough(
  { client, limits }: Session,
  action: BulkAction,
  filter: BulkFilter,
  options: { dryRun: boolean; reason?: string },
  show: (total: Total) => void,
): Promise<Total> {
  const total: Total = { matched: 0, done: 0, failed: [] };
  let cursor: string | undefined;
  do {
    show(total);
    const answer = await client.bulk(action, filter, { ...options, ...limits, ...(cursor ? { cursor } : {}) });
    total.matched += answer.matched;
    total.done += answer.done;
    total.failed.push(...answer.failed);
    cursor = answer.nextCursor;
  } while (cursor !== undefined);
  return total;
}
