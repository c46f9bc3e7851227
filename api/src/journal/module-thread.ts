/** The thread in which the authors' code runs; see module-runner.ts. */

import { parentPort, workerData } from "node:worker_threads";
import { type JournalEntry, JournalError, type StoredJournal } from "genserverless/journaled.ts";
import { loadModules } from "genserverless/load-modules.ts";
import { changeState } from "genserverless/runtime/change-state.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { ChangeJob, Given, Heard, RecoverJob, Said } from "./module-runner.ts";

const modules = await loadModules(workerData as string[]);
const waiting = new Map<number, (given: Given) => void>();

parentPort?.on("message", (heard: Heard) => {
  if (heard.kind === "change") void change(heard);
  else if (heard.kind === "recover") void recover(heard);
  else waiting.get(heard.id)?.(heard);
});
say({ kind: "loaded", id: 0 });

function say(said: Said): void {
  parentPort?.postMessage(said);
}

async function change({ id, module: name, fromVersion, stateText }: ChangeJob): Promise<void> {
  const module = modules.get(name);
  const refusal = !module
    ? `there is no module ${name}`
    : module.journal && `the state was left by a ${name} that kept no journal`;
  const changed = module && !refusal ? await changeState(module, fromVersion, stateText) : { error: refusal ?? "" };
  say("error" in changed ? { kind: "failed", id, error: changed.error, isWhole: false } : { kind: "done", id });
}

async function recover({ id, module: name, pid, key, snapshot }: RecoverJob): Promise<void> {
  let isWhole = false;
  const whole = () => {
    isWhole = true;
    return readPages(id, true);
  };
  const stored: StoredJournal = { pid, key, snapshot, pages: readPages(id, false), whole };
  try {
    const rules = modules.get(name)?.journal;
    if (!rules) throw new JournalError(`there is no journaled module ${name}`);
    const state = await rules.recover(stored);
    try {
      say({ kind: "done", id, isWhole, stateText: JSON.stringify(rules.view?.(state)) ?? "null" });
    } finally {
      rules.release?.(state);
    }
  } catch (error) {
    say({ kind: "failed", id, isWhole, error: tell(error) });
  }
}

async function* readPages(id: number, isWhole: boolean): AsyncGenerator<readonly JournalEntry[]> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<Given>();
    waiting.set(id, resolve);
    say({ kind: "wants", id, isWhole });
    const given = await promise;
    waiting.delete(id);
    if (given.kind === "unread") throw new JournalError(given.error);
    if (given.kind === "end") return;
    yield given.entries;
  }
}

/** What a journal says of itself says it all. */
function tell(error: unknown): string {
  return error instanceof Error && error.name === "JournalError"
    ? error.message
    : (describeError(error)[0] ?? "it failed");
}
