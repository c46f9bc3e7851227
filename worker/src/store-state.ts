/**
 * The way of a process's state into its record. A module with a state store of its own has the state written there first,
 * and the commit puts a reference into the record; until then nobody knows of what was written.
 */

import type { CommitRequest, Committed, Leases } from "@genserverless/shared/cluster/leases.ts";
import { IN_RECORD, storeOf } from "@genserverless/shared/stores/reference.ts";
import type { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import type { Activation } from "./activation.ts";

export interface Storing {
  leases: Leases;
  stores: StateStores;
}

/** `recordText` is what the record is to have of a journaled module's state, where that is anything new. */
type Request = Omit<CommitRequest, "stateText" | "isAhead" | "version"> & { recordText?: string | undefined };

/** Commits, with the state where `stores` is true; undefined where the lease is lost. Rejects with StoreUnavailable. */
export async function commitState(
  activation: Activation,
  storing: Storing,
  request: Request,
  mustStore: boolean,
  version = activation.isPrepared ? activation.module.version : activation.fromVersion,
): Promise<Committed | undefined> {
  const { lease, stateText } = activation;
  const isOutside = activation.module.store !== IN_RECORD || storeOf(activation.recordText) !== IN_RECORD;
  let recordText = mustStore ? stateText : request.recordText;
  if (isOutside) recordText = await writeOutside(activation, storing.stores, request.life, recordText);
  const isAhead = activation.isDirty && recordText === undefined;
  const committed = await storing.leases.commit(lease, { ...request, version, stateText: recordText, isAhead });
  if (!committed) return undefined;
  lease.revision = committed.revision;
  activation.turns += request.turns;
  if (recordText !== undefined) activation.noteStored(stateText, recordText);
  return committed;
}

async function writeOutside(
  { lease, incarnation, module, recordText }: Activation,
  stores: StateStores,
  life: Request["life"],
  text: string | undefined,
): Promise<string | undefined> {
  const place = { pid: lease.pid, incarnation: Number(incarnation), revision: lease.revision + 1 };
  if (life === "wiped") await stores.wipe(place.pid, place.incarnation, recordText);
  if (text === undefined || life === "wiped") return undefined;
  return await stores.write(module.store, place, text, recordText);
}

/** Stores the state of a process whose write policy has let it run ahead. False where the lease is lost. */
export async function storeState(activation: Activation, storing: Storing): Promise<boolean> {
  return !activation.isDirty || (await letGo(activation, storing));
}

/** As `storeState`, and ends the lease on a process that was paused or quarantined. */
export async function letGo(activation: Activation, storing: Storing): Promise<boolean> {
  const continueText = activation.continueText || undefined;
  const nothing = { life: "" as const, reason: "", bytes: 0, turns: 0, settlements: [], acts: [] };
  const request = { ...nothing, width: 0, continueText };
  return (await commitState(activation, storing, request, activation.isDirty)) !== undefined;
}
