/** What one function prints, and what the functions service says of its sandboxes. */

import type { LogLine } from "@genserverless/shared/functions/views.ts";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { InvalidArgumentError } from "commander";
import { readStream } from "../follow.ts";
import type { Output } from "../output.ts";
import type { Session } from "../session.ts";

export interface FunctionName {
  project: string;
  name: string;
}

const STYLES = { stdout: undefined, stderr: "yellow", service: "cyan" } as const;

export async function printFunctionLog(
  session: Session,
  { project, name }: FunctionName,
  { follow = false, tail }: { follow?: boolean; tail: number },
): Promise<void> {
  const path = `/logs/${encodeURIComponent(project)}/${encodeURIComponent(name)}?tail=${tail}&follow=${follow}`;
  const { output } = session;
  await readStream(session, path, follow, ({ event, data }) => {
    if (event !== "line") return;
    const line = JSON.parse(data) as LogLine;
    output.answer(line, () => describeLine(output, line));
  });
}

/** `2026-03-01T12:00:00.123Z 4d6311d sandbox 3 stdout  Client ip address is 127.0.0.1.` */
export function describeLine(output: Pick<Output, "paint">, { at, commit, sandbox, stream, text }: LogLine): string {
  const head = output.paint(
    "dim",
    `${new Date(at).toISOString()} ${toPrintable(commit.slice(0, 7))} sandbox ${sandbox}`,
  );
  const style = STYLES[stream];
  const shownStream = toPrintable(stream).padEnd(7);
  return [head, style ? output.paint(style, shownStream) : shownStream, toPrintable(text)].join(" ");
}

export function readFunctionName(text: string): FunctionName {
  const [, project, name] = /^([\w.-]+)\/([^/\s]+)$/.exec(text) ?? [];
  if (project !== undefined && name !== undefined) return { project, name };
  throw new InvalidArgumentError("It is PROJECT/FUNCTION, e.g. alice-shop/API.");
}
