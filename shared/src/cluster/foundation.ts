/** The settings that a cluster is founded with and that every later node must share. */

import type { RedisLink } from "../redis/connection.ts";
import { type Keys, LAYOUT_VERSION } from "../redis/keys.ts";

/** The data in Redis was written by a cluster that this node cannot join. */
export class FoundationError extends Error {
  override name = "FoundationError";
}

export async function checkFoundation(link: RedisLink, keys: Keys): Promise<void> {
  const [layout, partitions] = await link.run<[string, string]>(
    "found",
    [keys.cluster],
    [keys.members, LAYOUT_VERSION, keys.partitions],
  );
  if (Number(layout) !== LAYOUT_VERSION) {
    throw new FoundationError(
      `this Redis holds layout version ${layout} under "${keys.prefix}", and this node speaks version ${LAYOUT_VERSION}`,
    );
  }
  if (Number(partitions) !== keys.partitions) {
    throw new FoundationError(
      `this cluster was founded with ${partitions} partitions, and PARTITIONS here is ${keys.partitions}`,
    );
  }
}
