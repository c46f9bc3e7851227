/** A worker: its place in the cluster, its processes, its chores, its watchdog. */

import { Journals } from "@genserverless/shared/cluster/journal.ts";
import { Leases } from "@genserverless/shared/cluster/leases.ts";
import type { Membership } from "@genserverless/shared/cluster/members.ts";
import { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Node } from "@genserverless/shared/cluster/node.ts";
import { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import type { Tracer } from "@genserverless/shared/trace/tracer.ts";
import type { Log } from "genserverless";
import type { ServerModule } from "genserverless/server-module.ts";
import { Calls } from "./calls.ts";
import { Chores } from "./chores.ts";
import type { WorkerSettings } from "./config.ts";
import { readDelivery } from "./delivery.ts";
import { Host } from "./host.ts";
import { Meter } from "./meter.ts";
import { Watchdog } from "./watchdog.ts";

export interface WorkerParts {
  modules: ReadonlyMap<string, ServerModule>;
  stores: StateStores;
  tracer: Tracer;
  log: Log;
}

const DRAIN_MS = 25_000;

export class Worker implements Part {
  readonly #node: Node;
  readonly #host: Host;
  readonly #chores: Chores;
  readonly #membership: Membership;
  readonly #watchdog: Watchdog;
  readonly #messenger: Messenger;
  readonly #outboxes: Outboxes;
  readonly #modules: Map<string, ServerModule>;
  readonly #stores: StateStores;
  readonly meter = new Meter();
  #channel = "";

  constructor(node: Node, settings: WorkerSettings, parts: WorkerParts) {
    const { stores, tracer, log } = parts;
    const modules = new Map(parts.modules);
    this.#modules = modules;
    this.#stores = stores;
    const { link, keys, events, subscriber, clock } = node;
    const leases = new Leases(link, keys);
    this.#node = node;
    const rulesOf = (module: string) => modules.get(module);
    const knowsModule = (module: string) => modules.has(module);
    this.#messenger = new Messenger({
      link,
      keys,
      subscriber,
      clock,
      rulesOf,
      knowsModule,
      isStorageFull: () => false,
    });
    const wipeState = (pid: Pid, reference: string) => stores.forget(pid, reference);
    this.#outboxes = new Outboxes({ link, keys, events, wipeState });
    const messenger = this.#messenger;
    const outboxes = this.#outboxes;
    const calls = new Calls({ link, keys, messenger, clock });
    const onDead = () => this.#membership.check();
    const { meter } = this;
    const shared = {
      link,
      keys,
      leases,
      stores,
      modules,
      events,
      log,
      clock,
      messenger,
      outboxes,
      calls,
      journals: new Journals(link, keys),
      meter,
      tracer,
    };
    this.#host = new Host({ ...settings, ...shared, onDead });
    const session = () => this.#membership.session;
    this.#chores = new Chores({ ...shared, host: this.#host, partitions: keys.partitions, session });
    this.#watchdog = new Watchdog(settings.cluster, node.name);
    this.#membership = node.join({
      modules: [...modules.keys()],
      describe: () => ({ ...this.figures, ...meter.take() }),
      onSession: (next) => this.#adopt(next),
      onLost: () => this.#host.drop(),
      onMembers: (members) => this.#chores.onBeat(members),
    });
    subscriber.onGap(() => {
      this.#chores.look();
      this.#chores.ringAll();
    });
  }

  /** What it has in memory, what of that is in a turn, and its turns since it started. */
  get figures(): { held: number; running: number; turns: number } {
    const { held, running, turns } = this.#host;
    return { held, running, turns };
  }

  async start(): Promise<void> {
    await this.#watchdog.start();
    await this.#node.clock.start();
    await this.#messenger.start();
    await this.#membership.start();
    await this.#chores.start();
    this.#chores.look();
    this.#chores.ringAll();
  }

  /** New or changed modules: processes go on with them after the turn under way. */
  async learn(changed: readonly ServerModule[]): Promise<void> {
    const { events } = this.#node;
    for (const module of changed) {
      try {
        this.#stores.checkStores([module]);
        this.#modules.set(module.name, module);
      } catch (error) {
        events.emit("error", "module.broken", { module: module.name, error: (error as Error).message });
      }
    }
    try {
      await this.#membership.learn([...this.#modules.keys()]);
      for (const { name } of changed) await this.#host.reload(name);
      events.emit("info", "modules.changed", { modules: changed.map(({ name, version }) => `${name}@${version}`) });
    } catch (error) {
      // Redis is away: the next session is registered with all modules.
      events.emit("warn", "modules.unannounced", { error: String(error) });
    }
  }

  async stop(): Promise<void> {
    await this.#chores.stop();
    const { session } = this.#membership;
    if (session) await this.#retire(session).catch(() => {});
    await this.#host.drain(DRAIN_MS);
    await this.#outboxes.settle();
    await this.#messenger.stop();
    await this.#node.clock.stop();
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

  /** A wake-up is a pid, a pid with a message, `due <partition> <ms>`, or `drop <pid>`. */
  #hear(text: string): void {
    if (text.includes("\n")) {
      this.#host.deliver(readDelivery(text, this.#node.clock.now()));
      return;
    }
    const [word = "", first = "", second = ""] = text.split(" ");
    if (word === "due") this.#chores.noteDue(Number(first), Number(second));
    else if (word === "drop") this.#host.forget(first as Pid);
    else this.#host.wake(text as Pid);
  }
}
