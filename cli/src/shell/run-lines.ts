/**
 * Runs lines at a prompt that nobody types at. Node's prompt takes the next line while an await of the one before is under way, so
 * each is handed over when the prompt would be shown again, which is once for each line.
 */

import { once } from "node:events";
import { createInterface } from "node:readline";
import { type REPLServer, Recoverable } from "node:repl";
import type { Readable } from "node:stream";

/** What Node's prompt keeps as `_error`; in no type yet. */
type Prompt = REPLServer & { lastError: unknown };

const NO_ERROR = Symbol("no error");

/** How many statements threw, or were never finished. */
export async function runLines(server: REPLServer, input: Readable): Promise<number> {
  const prompt = server as Prompt;
  let isOpen = true;
  const left = once(server, "exit").then(() => {
    isOpen = false;
  });
  const isUnfinished = watchUnfinished(server);
  let failures = 0;
  for await (const line of createInterface({ input })) {
    prompt.lastError = NO_ERROR;
    const shown = untilShown(server);
    server.emit("line", line);
    await Promise.race([shown, left]);
    if (prompt.lastError !== NO_ERROR) failures++;
    if (!isOpen) return failures;
  }
  server.close();
  await left;
  return isUnfinished() ? failures + 1 : failures;
}

/** The prompt itself is for nobody. */
function untilShown(server: REPLServer): Promise<void> {
  return new Promise((resolve) => {
    server.displayPrompt = () => resolve();
  });
}

/** Whether the last line was not the end of its statement. */
function watchUnfinished(server: REPLServer): () => boolean {
  let isUnfinished = false;
  const evaluate = server.eval;
  const watched: typeof evaluate = function (this: REPLServer, code, context, file, done) {
    evaluate.call(this, code, context, file, (error, result) => {
      isUnfinished = error instanceof Recoverable;
      done(error, result);
    });
  };
  Object.assign(server, { eval: watched });
  return () => isUnfinished;
}
