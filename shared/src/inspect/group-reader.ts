/** Who is in a group. */

import type { Pid } from "../process/pid.ts";
import type { RedisLink } from "../redis/connection.ts";
import type { Keys } from "../redis/keys.ts";
import { CursorError } from "./process-list.ts";

export interface MembersPage {
  members: Pid[];
  nextCursor?: string;
}

/**
 * One page of about `limit` members; a small group comes whole. Who is in the group throughout is in one of the pages, and
 * seldom in two.
 */
export async function readMembers(
  link: RedisLink,
  keys: Keys,
  group: string,
  { limit, cursor = "0" }: { limit: number; cursor?: string | undefined },
): Promise<MembersPage> {
  if (!/^\d{1,20}$/.test(cursor)) throw new CursorError("this cursor was not made by a list of members");
  const [next, flat] = await link.call<[string, string[]]>("hscan", keys.group(group), cursor, "COUNT", limit);
  const members = flat.filter((_, index) => index % 2 === 0) as Pid[];
  return { members, ...(next !== "0" && { nextCursor: next }) };
}
