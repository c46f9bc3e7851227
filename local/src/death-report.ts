/**
 * Tells the cluster that a session is dead: npm start saw its node exit, so nobody has to wait for the heartbeat to lapse.
 * It connects at the first death, which most runs never see. A report that fails is no loss: the session lapses by itself.
 */

import type { ClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import { roleOfSession, runsProcesses } from "@genserverless/shared/process/role.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import { Events } from "@genserverless/shared/service/events.ts";

type Evict = (session: string) => Promise<void>;

export class DeathReporter {
  readonly #settings: ClusterSettings;
  #connected: Promise<{ link: RedisLink; evict: Evict }> | undefined;

  constructor(settings: ClusterSettings) {
    this.#settings = settings;
  }

  /** Connects, so that the first report need not wait for that. */
  prepare(): void {
    this.#connected ??= this.#connect();
    this.#connected.catch(() => {});
  }

  async report(session: string): Promise<void> {
    this.#connected ??= this.#connect();
    const { link, evict } = await this.#connected;
    await link.untilUp();
    await evict(session);
  }

  /** A report that still waits for Redis fails. */
  async stop(): Promise<void> {
    await (await this.#connected)?.link.stop();
  }

  async #connect(): Promise<{ link: RedisLink; evict: Evict }> {
    const [{ evictSession }, { RedisLink }, { Keys }, { loadScripts }, { readPublishedLua }] = await Promise.all([
      import("@genserverless/shared/cluster/eviction.ts"),
      import("@genserverless/shared/redis/connection.ts"),
      import("@genserverless/shared/redis/keys.ts"),
      import("@genserverless/shared/redis/scripts.ts"),
      import("@genserverless/shared/cluster/mailbox.ts"),
    ]);
    const { redisUrl: url, keyPrefix, partitions, sessionTtlMs: silenceMs } = this.#settings;
    const scripts = loadScripts(readPublishedLua());
    const link = new RedisLink({ url, name: "npm-start", scripts, events: new Events(), silenceMs });
    link.start().catch(() => {});
    const keys = new Keys(keyPrefix, partitions);
    return {
      link,
      evict: (session) => evictSession(link, keys, session, { isWorker: runsProcesses(roleOfSession(session)) }),
    };
  }
}
