import { until } from "../../test/tools/until.ts";
import type { OurCluster } from "./our-cluster.ts";

const REPLACED_WITHIN_MS = 30_000;

/** The operating-system pids of the workers that are members now. */
export async function listWorkers(cluster: OurCluster): Promise<number[]> {
  const { status, body } = await cluster.client.get("/v1/cluster");
  if (status !== 200) throw new Error(`GET /v1/cluster answers ${status} ${JSON.stringify(body)}`);
  const nodes = body["nodes"] as { role: string; osPid: number }[];
  return nodes.filter(({ role }) => role === "worker").map(({ osPid }) => osPid);
}

/** Resolves when there are as many workers as there were, and the killed one is not among them. */
export async function untilReplaced(cluster: OurCluster, before: readonly number[], killed: number): Promise<void> {
  const isReplaced = async () => {
    const now = await listWorkers(cluster);
    return now.length === before.length && !now.includes(killed);
  };
  await until(isReplaced, { withinMs: REPLACED_WITHIN_MS, everyMs: 100, what: "the killed worker is replaced" });
}
