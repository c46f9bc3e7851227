/** Makes an activation's stored state ready for its callbacks; one that cannot be is left as it was. */

import { setTimeout as sleep } from "node:timers/promises";
import { JournalBroken, type Journals, type RawEntry } from "@genserverless/shared/cluster/journal.ts";
import { splitPid } from "@genserverless/shared/process/pid.ts";
import type { JournalRules, StoredJournal } from "genserverless/journaled.ts";
import { changeState } from "genserverless/runtime/change-state.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { Activation } from "./activation.ts";
import { MOST_DEATHS } from "./settling.ts";

/**
 * Undefined where the state can be used, otherwise why it cannot. `deaths`: how many nodes have died of what comes next;
 * where the author's code has to run before that, it may be that code which ends them.
 */
export async function prepare(activation: Activation, deaths: number, journals: Journals): Promise<string | undefined> {
  const { module, fromVersion, refusal, stateText = "null" } = activation;
  if (refusal !== undefined) return refusal;
  if (module.journal) return await recover(activation, module.journal, deaths, journals);
  if (deaths >= MOST_DEATHS && (module.load || !isCurrent(activation))) {
    return `${deaths} nodes died while the state of version ${fromVersion} was made ready, or right after`;
  }
  const changing = changeState(module, fromVersion, stateText);
  const changed = await (isCurrent(activation)
    ? changing
    : Promise.race([changing, sleep(module.turnTimeoutMs, undefined, { ref: false })]));
  if (!changed) return `${module.name}.codeChange was not done within ${module.turnTimeoutMs} ms`;
  if ("error" in changed) return changed.error;
  activation.isPrepared = true;
  if (changed.stateText === undefined) {
    activation.state = changed.state;
    return undefined;
  }
  activation.accept(changed.state, changed.stateText);
  // The next commit names this version, whatever the write policy: the state goes with it.
  activation.storedText = undefined;
  return undefined;
}

/** Makes the state of a journaled module of its snapshot and the events behind it. Rejects where Redis does not answer. */
async function recover(
  activation: Activation,
  rules: JournalRules,
  deaths: number,
  journals: Journals,
): Promise<string | undefined> {
  const { module, journal, lease } = activation;
  if (deaths >= MOST_DEATHS) return `${deaths} nodes died while the journal was read, or right after`;
  const { snapshot, last = 0, entries = [] } = journal ?? {};
  const { pid } = lease;
  const from = (snapshot?.sequence ?? 0) + 1;
  let readingError: unknown;
  async function* pages(first: number, found: readonly RawEntry[] = []) {
    try {
      if (last < from - 1)
        throw new JournalBroken(`the snapshot is of event ${from - 1}, and the journal of ${pid} ends at ${last}`);
      yield* journals.pages(pid, first, last, found);
    } catch (error) {
      readingError = error;
      throw error;
    }
  }
  const stored: StoredJournal = {
    pid,
    key: splitPid(pid).key,
    snapshot,
    pages: pages(from, entries),
    whole: () => pages(1),
  };
  const recovering = Promise.resolve(rules.recover(stored)).then(
    (state) => activation.hold(state),
    (error: unknown) => {
      if (readingError !== undefined && !(readingError instanceof JournalBroken)) throw readingError;
      return `${module.name} cannot be made of its journal: ${describeError(error)[0]}`;
    },
  );
  const late = sleep(
    module.turnTimeoutMs,
    `${module.name} was not made of its journal within ${module.turnTimeoutMs} ms`,
    {
      ref: false,
    },
  );
  const refusal = await Promise.race([recovering, late]);
  activation.isPrepared = refusal === undefined;
  return refusal ?? undefined;
}

/** Whether no codeChange has to run. */
function isCurrent({ module, fromVersion }: Activation): boolean {
  return fromVersion === module.version || !module.codeChange;
}
