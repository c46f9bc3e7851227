/** The modules that the workers of the cluster run now. */

import type { Node } from "@genserverless/shared/cluster/node.ts";

export async function readWorkerModules({ link, keys }: Pick<Node, "link" | "keys">): Promise<Set<string>> {
  const sessions = await link.call<string[]>("smembers", keys.sessions);
  const read = (session: string) => link.call<(string | null)[]>("hmget", keys.session(session), "role", "modules");
  const members = await Promise.all(sessions.map(read));
  return new Set(members.flatMap(([role, modules]) => (role === "worker" ? (modules ?? "").split(",") : [])));
}
