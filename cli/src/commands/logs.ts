/** logs: what processes log through ctx.log and what happens in the cluster, from the cluster's log stream. */

import { LOG_LEVELS, type LogEntry, type LogFilter, type LogLevel } from "@genserverless/shared/logs/log-entry.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, Option } from "commander";
import { WrongUsage } from "../failure.ts";
import { readStream } from "../follow.ts";
import { writeJson } from "../json-text.ts";
import type { Output, Style } from "../output.ts";
import type { Session } from "../session.ts";
import { addExamples, pidArgument, type Run, readCount } from "./command.ts";
import { type FunctionName, printFunctionLog, readFunctionName } from "./function-log.ts";

interface LogFlags extends Omit<LogFilter, "pid"> {
  function?: FunctionName;
  follow?: boolean;
  tail: number;
}

const STYLES: Partial<Record<LogLevel, Style>> = { warn: "yellow", error: "red", fatal: "red" };

export function addLogs(program: Command, run: Run): void {
  const logs = program
    .command("logs")
    .description("What processes log and what happens in the cluster; with --function, what a function prints.")
    .addArgument(pidArgument().argOptional())
    .option("-f, --follow", "goes on with what comes")
    .option("-m, --module <module>", "of processes of this module")
    .option("-n, --node <node>", "of this node, e.g. worker@vm-1")
    .addOption(new Option("-l, --level <level>", "this level and above").choices(LOG_LEVELS))
    .option("--tail <n>", "so many of the last entries first", readCount, 50)
    .option("--function <project/function>", "of this function instead, e.g. alice-shop/API", readFunctionName)
    .action(run(printLogs));
  addExamples(
    logs,
    "logs",
    "logs accumulator/alice --tail 10",
    "logs --follow --level warn",
    "logs -m accumulator --json",
    "logs --function alice-shop/API --tail 10",
  );
}

async function printLogs(session: Session, pid: string | undefined, flags: LogFlags): Promise<void> {
  if (flags.function) {
    const { module, node, level } = flags;
    if ([pid, module, node, level].some((given) => given !== undefined))
      throw new WrongUsage("--function stands without a pid, --module, --node and --level");
    return printFunctionLog(session, flags.function, flags);
  }
  await readStream(session, logsPath(pid, flags), flags.follow === true, ({ event, data }) => {
    if (event === "log") printEntry(session.output, JSON.parse(data) as LogEntry);
  });
}

export function logsPath(
  pid: string | undefined,
  { follow, module, node, level, tail }: Omit<LogFlags, "function">,
): string {
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
