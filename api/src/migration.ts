/**
 * Tries a module on what it has stored, and changes nothing: codeChange on every state that another version has left or, where
 * it keeps a journal, recovery of every process.
 */

import type { Journals } from "@genserverless/shared/cluster/journal.ts";
import { hasJournal, JournalBroken, readSnapshot } from "@genserverless/shared/cluster/journal.ts";
import { type StoredState, walkStoredStates } from "@genserverless/shared/inspect/stored-states.ts";
import { splitPid } from "@genserverless/shared/process/pid.ts";
import { type ResolveState, readStateText } from "@genserverless/shared/process/stored-state.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";
import { ModuleRunner, type Ran } from "./journal/module-runner.ts";

export interface MigrationReport {
  module: string;
  version: number;
  /** How many states were left by another version; and all that are made of a journal. */
  examined: number;
  /** How many are of this version already. */
  current: number;
  migratable: number;
  /** Of these, how many need all events from the first, because the snapshot is of a version that this one cannot use. */
  whole: number;
  failed: number;
  /** The first hundred that cannot be used. */
  failures: MigrationFailure[];
}

export interface MigrationFailure {
  pid: string;
  fromVersion: number;
  /** The sequence of the event that it fails at, or of that whose snapshot it cannot use. */
  event?: number;
  error: string;
}

export interface MigrationOptions {
  link: RedisLink;
  keys: Keys;
  modulesDirs: readonly string[];
  recoveryTimeoutMs: number;
  resolveState: ResolveState;
  journals: Journals;
}

const TRIAL_MS = 5_000;
const MOST_FAILURES = 100;

export async function tryMigration(
  options: MigrationOptions,
  module: string,
  version: number,
): Promise<MigrationReport> {
  const report = { module, version, examined: 0, current: 0, migratable: 0, whole: 0, failed: 0, failures: [] };
  const { modulesDirs, recoveryTimeoutMs } = options;
  const changing = new ModuleRunner({ modulesDirs, limitMs: TRIAL_MS });
  const recovering = new ModuleRunner({ modulesDirs, limitMs: recoveryTimeoutMs });
  try {
    for await (const stored of walkStoredStates(options.link, options.keys, module)) {
      const isCurrent = stored.version === version;
      if (isCurrent) report.current += 1;
      if (hasJournal(stored.stateText)) note(report, stored, await recover(recovering, options.journals, stored));
      else if (!isCurrent) note(report, stored, await change(changing, module, options, stored));
    }
    return report;
  } finally {
    await Promise.all([changing.stop(), recovering.stop()]);
  }
}

async function change(
  runner: ModuleRunner,
  module: string,
  { resolveState }: MigrationOptions,
  { pid, version: fromVersion, stateText }: StoredState,
): Promise<Ran> {
  const text = await readStateText(pid, stateText, resolveState);
  const ran = await runner.change({ module, fromVersion, stateText: text });
  return ran.kind === "late" || ran.kind === "ended" ? { ...ran, error: `codeChange ${ran.error}` } : ran;
}

async function recover(runner: ModuleRunner, journals: Journals, stored: StoredState): Promise<Ran> {
  const { pid, stateText, mark } = stored;
  try {
    const snapshot = readSnapshot(stateText);
    const from = (snapshot?.sequence ?? 0) + 1;
    const ran = await runner.recover({ ...splitPid(pid), pid, snapshot }, (isWhole) =>
      journals.pages(pid, isWhole ? 1 : from, mark.last),
    );
    return ran.kind === "late" || ran.kind === "ended" ? { ...ran, error: `recovery ${ran.error}` } : ran;
  } catch (error) {
    if (!(error instanceof JournalBroken)) throw error;
    return { kind: "failed", error: error.message, stateText: "", isWhole: false };
  }
}

function note(report: MigrationReport, { pid, version: fromVersion }: StoredState, ran: Ran): void {
  report.examined += 1;
  if (ran.kind === "done") {
    report.migratable += 1;
    if (ran.isWhole) report.whole += 1;
    return;
  }
  report.failed += 1;
  if (report.failures.length === MOST_FAILURES) return;
  const event = /\bevent (\d+)\b/.exec(ran.error)?.[1];
  report.failures.push({ pid, fromVersion, ...(event && { event: Number(event) }), error: ran.error });
}
