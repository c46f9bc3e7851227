/** A worker: its place in the cluster, its processes, its chores, its watchdog. */

import { Leases } from "@genserverless/shared/cluster/leases.ts";
import type { Membership } from "@genserverless/shared/cluster/members.ts";
import type { Node } from "@genserverless/shared/cluster/node.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Log } from "genserverless";
import type { ServerModule } from "genserverless/server-module.ts";
import { Chores } from "./chores.ts";
import type { WorkerSettings } from "./config.ts";
import { readDelivery } from "./delivery.ts";
import { Host } from "./host.ts";
import { Watchdog } from "./watchdog.ts";

const DRAIN_MS = 25_000;

export class Worker implements Part {
  readonly #node: Node;
  readonly #host: Host;
  readonly #chores: Chores;
  readonly #membership: Membership;
  readonly #watchdog: Watchdog;
  #channel = "";

  constructor(node: Node, settings: WorkerSettings, modules: ReadonlyMap<string, ServerModule>, log: Log) {
    const { link, keys, events, subscriber } = node;
    const leases = new Leases(link, keys);
    this.#node = node;
    const onDead = () => this.#membership.check();
    this.#host = new Host({ ...settings, link, keys, leases, modules, events, log, onDead });
    const session = () => this.#membership.session;
    this.#chores = new Chores({ host: this.#host, leases, link, events, partitions: keys.partitions, session });
    this.#watchdog = new Watchdog(settings.cluster, node.name);
    this.#membership = node.join({
      modules: [...modules.keys()],
      describe: () => ({ held: this.#host.held, running: this.#host.running, turns: this.#host.turns }),
      onSession: (next) => this.#adopt(next),
      onLost: () => this.#host.drop(),
      onMembers: (members) => this.#chores.onBeat(members),
    });
    subscriber.onGap(() => this.#chores.look());
  }

  async start(): Promise<void> {
    await this.#watchdog.start();
    await this.#membership.start();
    await this.#chores.start();
    this.#chores.look();
  }

  async stop(): Promise<void> {
    await this.#chores.stop();
    const { session } = this.#membership;
    if (session) await this.#retire(session).catch(() => {});
    await this.#host.drain(DRAIN_MS);
    await this.#membership.stop();
    this.#host.drop();
    await this.#watchdog.stop();
  }

  /** Takes the session out of the choice of workers, and leaves it what it has. */
  async #retire(session: string): Promise<void> {
    const { link, keys } = this.#node;
    const evictions = Array.from({ length: keys.partitions }, (_, partition) =>
      link.run("evict", [keys.live(partition)], [keys.base(partition), session, 0, "no"]),
    );
    await Promise.all(evictions);
  }

  async #adopt(session: string): Promise<void> {
    const { subscriber, keys } = this.#node;
    this.#host.adopt(session);
    this.#watchdog.watch(session);
    if (this.#channel) await subscriber.unsubscribe(this.#channel);
    this.#channel = keys.wakeChannel(session);
    await subscriber.subscribe(this.#channel, (text) => this.#hear(text));
  }

  /** A wake-up is a pid, a pid with a message, or `due <partition> <ms>`. */
  #hear(text: string): void {
    if (text.includes("\n")) {
      this.#host.deliver(readDelivery(text));
      return;
    }
    const due = /^due (\d+) (\d+)$/.exec(text);
    if (due) this.#chores.noteDue(Number(due[1]), Number(due[2]));
    else this.#host.wake(text as Pid);
  }
}
