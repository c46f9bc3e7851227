/** Before the tests: they start real servers, and look at the dashboard in a real terminal. */
import { ensureServers } from "./servers.ts";

export async function globalSetup(): Promise<void> {
  await ensureServers(["redis-server", "haproxy", "tmux"]);
}
