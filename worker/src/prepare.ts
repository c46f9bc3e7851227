/** Makes an activation's stored state ready for its callbacks; one that cannot be is left as it was. */

import { setTimeout as sleep } from "node:timers/promises";
import { changeState } from "genserverless/runtime/change-state.ts";
import type { Activation } from "./activation.ts";

/** Undefined where the state can be used, otherwise why it cannot. */
export async function prepare(activation: Activation): Promise<string | undefined> {
  const { module, fromVersion, refusal, stateText = "null" } = activation;
  if (refusal !== undefined) return refusal;
  const changing = changeState(module, fromVersion, stateText);
  const isQuick = fromVersion === module.version || !module.codeChange;
  const changed = await (isQuick
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
