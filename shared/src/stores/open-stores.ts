/** From settings to stores. The adapter and its driver are loaded only where a store is set up. */

import type { Events } from "../service/events.ts";
import type { PostgresSettings } from "./settings.ts";
import { StateStores } from "./state-stores.ts";

/**
 * How a node makes its stores, once it has events to tell. `cluster` tells the states of one cluster from those of another
 * in the same table: the key prefix.
 */
export async function prepareStores(
  settings: readonly PostgresSettings[],
  cluster: string,
): Promise<(events: Events) => StateStores> {
  if (settings.length === 0) return () => new StateStores([]);
  const { PostgresStore } = await import("./postgres-store.ts");
  return (events) => new StateStores(settings.map((each) => new PostgresStore({ ...each, cluster, events })));
}
