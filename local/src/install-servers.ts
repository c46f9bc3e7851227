/** Before the tests: they start real servers. */
import { ensureServers } from "./servers.ts";

export async function globalSetup(): Promise<void> {
  await ensureServers(["redis-server", "haproxy"]);
}
