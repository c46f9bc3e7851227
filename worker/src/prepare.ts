/** Makes an activation's stored state ready for its callbacks; one that cannot be is left as it was. */

import { setTimeout as sleep } from "node:timers/promises";
import type { Journals } from "@genserverless/shared/cluster/journal.ts";
import { changeState } from "genserverless/runtime/change-state.ts";
import type { Activation } from "./activation.ts";
import { recover } from "./recover.ts";
import { MOST_DEATHS } from "./settling.ts";

/**
 * Undefined where the state can be used, or the signal has ended the recovery of it; otherwise why it cannot. `deaths`: how many nodes have died of what comes next;
 * where the author's code has to run before that, it may be that code which ends them.
 */
export async function prepare(
  activation: Activation,
  deaths: number,
  journals: Journals,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { module, fromVersion, refusal, stateText = "null" } = activation;
  if (refusal !== undefined) return refusal;
  if (module.journal) {
    if (deaths >= MOST_DEATHS) return `${deaths} nodes died while the journal was read, or right after`;
    return await recover(activation, module.journal, journals, signal);
  }
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

/** Whether no codeChange has to run. */
function isCurrent({ module, fromVersion }: Activation): boolean {
  return fromVersion === module.version || !module.codeChange;
}
