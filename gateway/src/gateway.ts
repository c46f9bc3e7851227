/**
 * A gateway node as a whole: a worker whose modules are made of what the user function says of itself, and a public door to
 * them. It joins the cluster at once; the door opens with the first answer of the user function, and then serves whatever
 * it says last.
 *
 * It leaves as an api does: the load balancer sees it go, what is in flight is answered, then its processes go to others.
 */

import { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Node } from "@genserverless/shared/cluster/node.ts";
import { StorageWatch } from "@genserverless/shared/cluster/storage.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { Worker, type WorkerParts } from "@genserverless/worker/worker.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import type { GatewaySettings } from "./config.ts";
import { Discovery } from "./discovery/discovery.ts";
import { type Served, type Spec, withoutModules } from "./discovery/spec.ts";
import { readWorkerModules } from "./discovery/worker-modules.ts";
import { defineEntityModule } from "./entity/entity-module.ts";
import { Commands } from "./front/commands.ts";
import { Door } from "./front/door.ts";
import { GrpcService } from "./front/grpc-service.ts";
import { createHttpHandler } from "./front/http-service.ts";
import { findTarget } from "./front/targets.ts";
import { JsonRoutes } from "./json/routes.ts";
import { Connection } from "./user-function/connection.ts";

/** How soon gRPC's health knows of what it waits for. */
const HEALTH_MS = 250;

export class Gateway implements Part {
  readonly worker: Worker;
  readonly #node: Node;
  readonly #settings: GatewaySettings;
  readonly #connection: Connection;
  readonly #messenger: Messenger;
  readonly #storage: StorageWatch;
  readonly #discovery: Discovery;
  readonly #commands: Commands;
  readonly #door: Door;
  readonly #modules = new Map<string, ServerModule>();
  #spec: Spec | undefined;
  #routes: JsonRoutes | undefined;
  #grpc: GrpcService | undefined;
  #healthTimer: NodeJS.Timeout | undefined;

  constructor(node: Node, settings: GatewaySettings, parts: Omit<WorkerParts, "modules">) {
    const { link, keys, subscriber, clock, events } = node;
    const { userFunction: address, backoff, relayTimeoutMs } = settings;
    this.#node = node;
    this.#settings = settings;
    this.worker = new Worker(node, settings.worker, { ...parts, modules: this.#modules });
    this.#messenger = new Messenger({
      link,
      keys,
      subscriber,
      clock,
      rulesOf: (module) => this.#modules.get(module),
      knowsModule: (module) => this.#modules.has(module),
      isStorageFull: () => this.#storage.isFull,
    });
    this.#storage = new StorageWatch(link);
    const connection = new Connection(address);
    this.#connection = connection;
    this.#discovery = new Discovery({ connection, address, backoff, events, onSpec: (spec) => this.#serve(spec) });
    this.#commands = new Commands({
      messenger: this.#messenger,
      clock,
      connection,
      events,
      relayTimeoutMs,
      spec: () => this.#spec,
      isReachable: () => this.#discovery.isReachable,
      report: (message) => this.#report(message),
      doubt: () => void this.#discovery.doubt(),
    });
    const handle = createHttpHandler({
      commands: this.#commands,
      routes: () => this.#routes,
      waitsFor: () => this.#waitsFor(),
    });
    this.#door = new Door({ ...settings, events, inFlight: () => this.#commands.inFlight, handle });
  }

  async start(): Promise<void> {
    await this.worker.start();
    await this.#storage.start();
    await this.#messenger.start();
    await this.#discovery.start();
    this.#healthTimer = setInterval(() => this.#grpc?.setServing(this.#waitsFor().length === 0), HEALTH_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#healthTimer);
    await this.#discovery.stop();
    await this.#door.close();
    await this.#messenger.stop();
    await this.#storage.stop();
    await this.worker.stop();
    this.#connection.close();
  }

  /** The modules first: whoever is let in finds them. */
  async #serve(said: Spec): Promise<void> {
    const spec = withoutModules(said, await readWorkerModules(this.#node));
    const entities = [...spec.services.values()].filter(({ kind }) => kind !== "action");
    const modules = entities.map((served) => this.#define(served));
    const routes = new JsonRoutes(spec);
    this.#discovery.refuse([...spec.faults, ...routes.faults]);
    for (const module of modules) this.#modules.set(module.name, module);
    this.#spec = spec;
    this.#routes = routes;
    if (modules.length > 0) await this.worker.learn(modules);
    const services = [...spec.services.keys()];
    const { protocol } = spec;
    this.#node.events.emit("info", "user-function.served", {
      address: this.#settings.userFunction,
      protocol,
      services,
    });
    this.#grpc = new GrpcService(spec, this.#commands);
    await this.#door.open(this.#grpc);
  }

  #define(served: Served): ServerModule {
    const { events } = this.#node;
    return defineEntityModule({
      ...this.#settings,
      served,
      connection: this.#connection,
      events,
      findTarget: (effect) => findTarget(this.#spec, effect),
      runAction: (effect) => this.#commands.run(effect),
      report: (message) => this.#report(message),
      doubt: () => void this.#discovery.doubt(),
    });
  }

  /** The first protocol has no way to tell. */
  #report(message: string): void {
    if (this.#spec?.protocol === "cloudstate") this.#discovery.report(message);
  }

  #waitsFor(): string[] {
    return [
      ...(this.#discovery.isReachable ? [] : ["the user function"]),
      ...(this.#node.link.isUp ? [] : ["Redis"]),
      ...(this.#door.isDraining ? ["its end"] : []),
    ];
  }
}
