/** Commits without a turn: what is done before a process is given up. */

import type { Leases } from "@genserverless/shared/cluster/leases.ts";
import type { Activation } from "./activation.ts";

/** Stores the state of a process whose write policy has let it run ahead. False where the lease is lost. */
export async function storeState(activation: Activation, leases: Leases): Promise<boolean> {
  return !activation.isDirty || (await letGo(activation, leases));
}

/** As `storeState`, and ends the lease on a process that was paused or quarantined. */
export async function letGo(activation: Activation, leases: Leases): Promise<boolean> {
  const { lease, module, stateText, continueText, isDirty } = activation;
  const committed = await leases.commit(lease, {
    width: 0,
    stateText: isDirty ? stateText : undefined,
    version: module.version,
    continueText: continueText || undefined,
    life: "",
    reason: "",
    bytes: 0,
    turns: 0,
    settlements: [],
    acts: [],
  });
  if (!committed) return false;
  lease.revision = committed.revision;
  activation.noteStored();
  return true;
}
