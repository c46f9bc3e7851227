/**
 * logs: what processes log through ctx.log and what happens in the cluster, from the cluster's log stream. While it is followed, a
 * connection that breaks is made anew, after the last entry that was printed.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { LOG_LEVELS, type LogEntry, type LogFilter, type LogLevel } from "@genserverless/shared/logs/log-entry.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, Option } from "commander";
import { describeFailure, EXIT_CODES } from "../failure.ts";
import { escapeText, writeJson } from "../json-text.ts";
import type { Output, Style } from "../output.ts";
import type { Session } from "../session.ts";
import { addExamples, pidArgument, type Run, readCount } from "./command.ts";

interface LogFlags extends Omit<LogFilter, "pid"> {
  follow?: boolean;
  tail: number;
}

const STYLES: Partial<Record<LogLevel, Style>> = { warn: "yellow", error: "red", fatal: "red" };
const PAUSES_MS = [200, 500, 1_000, 2_000, 5_000];

export function addLogs(program: Command, run: Run): void {
  const logs = program
    .command("logs")
    .description("What processes log, and what happens in the cluster.")
    .addArgument(pidArgument().argOptional())
    .option("-f, --follow", "goes on with what comes")
    .option("-m, --module <module>", "of processes of this module")
    .option("-n, --node <node>", "of this node, e.g. worker@vm-1")
    .addOption(new Option("-l, --level <level>", "this level and above").choices(LOG_LEVELS))
    .option("--tail <n>", "so many of the last entries first", readCount, 50)
    .action(run(printLogs));
  addExamples(
    logs,
    "logs",
    "logs accumulator/alice --tail 10",
    "logs --follow --level warn",
    "logs -m accumulator --json",
  );
}

async function printLogs(session: Session, pid: string | undefined, flags: LogFlags): Promise<void> {
  const path = logsPath(pid, flags);
  const { output } = session;
  let wasOpen = false;
  let lastEventId: string | undefined;
  let failures = 0;
  do {
    try {
      const events = await session.door.openEvents(path, lastEventId);
      wasOpen = true;
      failures = 0;
      for await (const { event, id, data } of events) {
        lastEventId = id ?? lastEventId;
        if (event === "log") printEntry(output, JSON.parse(data) as LogEntry);
        await output.drained();
      }
    } catch (error) {
      const { line, exitCode } = describeFailure(session.explain(error));
      if (!flags.follow || !wasOpen || exitCode !== EXIT_CODES.unreachable) throw error;
      if (failures === 0) output.note(`genserverless: ${escapeText(line)}; trying again`);
    }
    if (flags.follow) await sleep(PAUSES_MS[Math.min(failures++, PAUSES_MS.length - 1)]);
  } while (flags.follow);
}

export function logsPath(pid: string | undefined, { follow, module, node, level, tail }: LogFlags): string {
  const query = { pid, module, node, level, tail: String(tail), follow: String(follow === true) };
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `/v1/logs?${new URLSearchParams(given)}`;
}

function printEntry(output: Output, entry: LogEntry): void {
  output.answer(entry, () => describeEntry(output, entry));
}

/** `2026-03-01T12:00:00.123Z info  worker@vm-1 accumulator/alice accumulator cast val=10`, and a stack below it. */
export function describeEntry(output: Pick<Output, "paint">, entry: LogEntry): string[] {
  const { id: _id, time, level, node, msg, pid, module: _module, stack, ...fields } = entry;
  const told = Object.entries(fields).map(([name, value]) => `${toPrintable(name)}=${tellValue(value)}`);
  const style = STYLES[level];
  const shownLevel = toPrintable(level).padEnd(5);
  const head = [output.paint("dim", toPrintable(time)), style ? output.paint(style, shownLevel) : shownLevel];
  const rest = [node, ...(pid === undefined ? [] : [pid]), msg].map((text) => toPrintable(String(text)));
  const frames = Array.isArray(stack) ? stack.slice(1).map((frame) => toPrintable(String(frame))) : [];
  return [[...head, ...rest, ...told].join(" "), ...frames.map((frame) => output.paint("dim", frame))];
}

function tellValue(value: unknown): string {
  return typeof value === "string" && /^[\w./:@#~+-]+$/.test(value) ? value : writeJson(value);
}
