/**
 * A picture that is drawn again and again: in place on a terminal, one below the other elsewhere. Once it has been drawn, a
 * cluster that does not answer is told below the last picture, and asked again; before, it ends the command.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { crop, toPrintable } from "@genserverless/shared/text/printable.ts";
import type { Command } from "commander";
import { readCount } from "./commands/command.ts";
import { parseDuration } from "./duration.ts";
import { describeFailure, EXIT_CODES } from "./failure.ts";
import { writeJson } from "./json-text.ts";
import type { Output } from "./output.ts";
import type { Session } from "./session.ts";
import type { Io } from "./settings.ts";

export interface WatchFlags {
  every: string;
  count?: number;
}

type Picture = { lines: readonly string[] } | { json: unknown };

export function watchOptions(command: Command): Command {
  return command
    .option("--every <duration>", "how often it is drawn", "2s")
    .option("--count <n>", "draws so often, then ends", readCount);
}

export async function watch(
  session: Session,
  { every, count = Number.POSITIVE_INFINITY }: WatchFlags,
  look: () => Promise<Picture>,
): Promise<void> {
  const everyMs = parseDuration(every);
  let lines: readonly string[] = [];
  for (let drawn = 1; ; drawn++) {
    try {
      const picture = await look();
      if ("json" in picture) session.output.line(writeJson(picture.json));
      else {
        lines = picture.lines;
        draw(session.io, session.output, lines, drawn > 1);
      }
    } catch (error) {
      const { line, exitCode } = describeFailure(session.explain(error));
      if (drawn === 1 || exitCode !== EXIT_CODES.unreachable) throw error;
      if (session.output.isTerminal) draw(session.io, session.output, [...lines, "", toPrintable(line)], true);
      else session.output.note(`genserverless: ${toPrintable(line)}`);
    }
    await session.output.drained();
    if (drawn >= count) return;
    await sleep(everyMs);
  }
}

/** What does not fit the window is left out. */
function draw({ stdout }: Io, output: Output, lines: readonly string[], isAgain: boolean): void {
  if (!output.isTerminal) {
    output.line([...(isAgain ? [""] : []), ...lines].join("\n"));
    return;
  }
  const { columns = 80, rows = 24 } = stdout;
  const shown = lines.slice(0, Math.max(1, rows - 1));
  stdout.write(`\x1b[H\x1b[2J${shown.map((line) => cropPainted(line, columns)).join("\n")}\n`);
}

/** A painted line is short, or is shown as it is. */
function cropPainted(line: string, columns: number): string {
  return line.includes("\x1b") ? line : crop(line, columns);
}
