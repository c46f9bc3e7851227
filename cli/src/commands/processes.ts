/** ps and inspect: processes as last committed. */

import { PROCESS_STATUSES } from "@genserverless/shared/process/status.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { formatBytes, formatSpan } from "@genserverless/shared/text/quantities.ts";
import type { Column } from "@genserverless/shared/text/table.ts";
import { type Command, Option } from "commander";
import type { ListOptions, ProcessStatus, ProcessView } from "genserverless/client";
import { escapeText, writeReadableJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { type WatchFlags, watch, watchOptions } from "../watch.ts";
import { addExamples, pidArgument, type Run, readCount } from "./command.ts";

interface Filter {
  module?: string;
  status?: ProcessStatus;
  tag?: string;
  owner?: string;
}

interface ListFlags extends Filter, WatchFlags {
  limit: number;
  all?: boolean;
  watch?: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: "PID", atMost: 60 },
  { title: "STATUS" },
  { title: "WAITING", align: "right" },
  { title: "DELAYED", align: "right" },
  { title: "FAILED", align: "right" },
  { title: "TURNS", align: "right" },
  { title: "AGE", align: "right" },
  { title: "OWNER", atMost: 40 },
];
const MOST_ON_A_PAGE = 1_000;
/** More of a state is for --json. */
const MOST_STATE_CHARACTERS = 20_000;

export function addProcesses(program: Command, run: Run): void {
  const ps = addFilter(program.command("ps").description("Lists processes."))
    .option("--limit <n>", "at most so many", readCount, 100)
    .option("--all", "all of them")
    .option("-w, --watch", "again and again");
  watchOptions(ps).action(run(list));
  addExamples(ps, "ps", "ps --module accumulator --status idle", "ps --tag demo --json", "ps --watch --count 2");
  const inspect = program
    .command("inspect")
    .description("A process as last committed, with its state; no turn is run.")
    .addArgument(pidArgument())
    .option("--no-state", "without the state")
    .action(run(inspectProcess));
  addExamples(inspect, "inspect accumulator/alice", "inspect accumulator/alice --no-state --json");
}

/** What a process must be like; all that is given must hold. */
export function addFilter(command: Command): Command {
  return command
    .option("-m, --module <module>", "of this module")
    .addOption(new Option("-s, --status <status>", "with this status").choices(PROCESS_STATUSES))
    .option("-t, --tag <tag>", "with this tag")
    .option("-o, --owner <owner>", "run by this worker, worker@<name>, or session");
}

export function readFilter({ module, status, tag, owner }: Filter): Filter {
  const given = Object.entries({ module, status, tag, owner }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given);
}

async function list(session: Session, flags: ListFlags): Promise<void> {
  const { output } = session;
  const most = flags.all ? Number.POSITIVE_INFINITY : flags.limit;
  if (flags.watch) {
    return watch(session, flags, async () => {
      const { processes, hasMore } = await readProcesses(session, readFilter(flags), most);
      if (output.isJson) return { json: processes };
      const more = hasMore ? ["… there are more"] : [];
      return { lines: [...output.layTable(COLUMNS, processes.map(row)), ...more] };
    });
  }
  const { processes, hasMore } = await readProcesses(session, readFilter(flags), most);
  output.table(processes, COLUMNS, row, "no processes");
  if (hasMore) output.note(`there are more than ${most}: --limit, or --all`);
}

async function readProcesses(
  session: Session,
  filter: Filter,
  most: number,
): Promise<{ processes: ProcessView[]; hasMore: boolean }> {
  const processes: ProcessView[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(most - processes.length, MOST_ON_A_PAGE);
    const query: ListOptions = { ...filter, limit, ...(cursor === undefined ? {} : { cursor }), ...session.limits };
    const page = await session.client.list(query);
    processes.push(...page.processes);
    cursor = page.nextCursor;
  } while (cursor !== undefined && processes.length < most);
  return { processes, hasMore: cursor !== undefined };
}

function row({ pid, status, mailbox, turns, startedAt, owner }: ProcessView): string[] {
  const counts = [mailbox.waiting, mailbox.delayed, mailbox.failed, turns].map(String);
  const age = formatSpan(Date.now() - Date.parse(startedAt));
  return [toPrintable(pid), status, ...counts, age, toPrintable(owner ?? "-")];
}

async function inspectProcess(session: Session, pid: string, { state }: { state: boolean }): Promise<void> {
  const view = await session.client.inspect(pid, { state, ...session.limits });
  session.output.answer(view, () => describeProcess(view));
}

function describeProcess(view: ProcessView & { state?: unknown }): string[] {
  const { waiting, delayed, failed } = view.mailbox;
  const fields: [string, string | number][] = [
    ["pid", view.pid],
    ["status", view.status],
    ...(view.reason === undefined ? [] : [["reason", view.reason] as [string, string]]),
    ["module version", view.moduleVersion],
    ["revision", view.revision],
    ["turns", view.turns],
    ...(view.sequence === undefined ? [] : [["events", view.sequence] as [string, string | number]]),
    ["mailbox", `${waiting} waiting, ${delayed} delayed, ${failed} failed`],
    ["owner", view.owner ?? "none: asleep"],
    ["epoch", view.epoch],
    ["tags", view.tags.join(" ") || "-"],
    ["started", view.startedAt],
    ["updated", view.updatedAt],
  ];
  const lines = fields.map(([name, value]) => `${`${name}:`.padEnd(16)}${toPrintable(String(value))}`);
  return view.state === undefined ? lines : [...lines, ...describeState(view.state)];
}

function describeState(state: unknown): string[] {
  const text = JSON.stringify(state);
  if (text.length <= MOST_STATE_CHARACTERS) return [`${"state:".padEnd(16)}${writeReadableJson(state)}`];
  const cut = `… cut: ${formatBytes(Buffer.byteLength(text))} in all, --json has the whole`;
  return [`${"state:".padEnd(16)}${escapeText(text.slice(0, MOST_STATE_CHARACTERS))}`, cut];
}
