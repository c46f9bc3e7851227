/** Completion at the prompt: modules and pids inside quotes, and elsewhere what Node completes. */

import type { CompleterResult } from "node:readline";
import type { REPLServer } from "node:repl";
import type { CandidateSource } from "../candidates.ts";

/** A text in quotes that is still open at the cursor. */
const OPEN_TEXT = /(?:^|[^\w"'`])["'`]([A-Za-z0-9._~/-]*)$/;

type Done = (error: Error | null, result: CompleterResult) => void;

export function completeIn(server: REPLServer, source: CandidateSource): void {
  const completeCode = server.completer as (line: string, done: Done) => void;
  const complete = (line: string, done: Done) => {
    const prefix = openText(line);
    if (prefix === undefined) return completeCode.call(server, line, done);
    source.pids(prefix).then((names) => done(null, [names, prefix]));
  };
  Object.assign(server, { completer: complete });
}

/** What stands in the open quotes, where a pid may stand; undefined elsewhere. */
export function openText(line: string): string | undefined {
  return OPEN_TEXT.exec(line)?.[1];
}
