/**
 * An api node as a whole. It listens before it has reached Redis, so that /health and /ready can be asked. It leaves in
 * the order that loses no call: the load balancer sees it go, what is in flight is answered, then its parts stop.
 */

import { Control } from "@genserverless/shared/cluster/control.ts";
import { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { createNode } from "@genserverless/shared/cluster/node.ts";
import { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import { StorageWatch } from "@genserverless/shared/cluster/storage.ts";
import { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import { HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import type { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { createNodeRegistry } from "@genserverless/shared/metrics/node-metrics.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { Lifecycle, type Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Logger } from "@genserverless/shared/service/log.ts";
import type { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import type { Tracer } from "@genserverless/shared/trace/tracer.ts";
import { createApp } from "./app.ts";
import type { ApiSettings } from "./config.ts";
import { EventStreams } from "./event-streams.ts";
import { ApiMetrics } from "./metrics.ts";
import { tryMigration } from "./migration.ts";
import type { Modules } from "./request/check-message.ts";
import { ApiServer } from "./server.ts";
import { RequestTracing } from "./tracing.ts";

export interface ApiParts {
  modules: Modules;
  openStores: (events: Events) => StateStores;
  log: Logger;
  shipper: LogShipper;
  tracer: Tracer;
}

export class ApiService implements Part {
  readonly #server: ApiServer;
  readonly #inside: Lifecycle;
  readonly #streams = new EventStreams();
  #isOpen = false;

  constructor(settings: ApiSettings, { modules, openStores, log, shipper, tracer }: ApiParts) {
    const { cluster, host, port, drainMs, token, allowedHosts } = settings;
    const node = createNode("api", cluster, log, shipper);
    const { link, keys, subscriber, clock, events, name } = node;
    const stores = openStores(events);
    const storage = new StorageWatch(link);
    const knowsModule = (module: string) => modules().has(module);
    const rulesOf = (module: string) => modules().get(module);
    const isStorageFull = () => storage.isFull;
    const resolveState = (pid: Pid, reference: string) => stores.resolve(pid, reference);
    const wipeState = (pid: Pid, reference: string) => stores.forget(pid, reference);
    const outboxes = new Outboxes({ link, keys, events, wipeState });
    const sending = { link, keys, knowsModule, rulesOf, isStorageFull, outboxes };
    const tracing = new RequestTracing(tracer);
    const messenger = new Messenger({ ...sending, subscriber, clock, traceparent: () => tracing.traceparent });
    const metrics = new ApiMetrics(createNodeRegistry({ events, link }));
    const snapshot = new Snapshot(link, keys, resolveState);
    const app = createApp({
      messenger,
      snapshot,
      control: new Control({ ...sending, wipeState }),
      deadLetters: new DeadLetters(sending),
      transfer: new Transfer({ ...sending, resolveState, wipeState }),
      modules,
      tryMigration: (module, version) =>
        tryMigration({ link, keys, modulesDirs: cluster.modulesDirs, resolveState }, module, version),
      metrics,
      tracing,
      logs: new LogFeed(link, keys),
      history: new HistoryFeed({ link, keys, subscriber, readProcess: (pid) => snapshot.readProcess(pid, true) }),
      streams: this.#streams,
      log,
      name,
      ...(token !== undefined && { token }),
      allowedHosts,
      now: () => clock.now(),
      isOpen: () => this.#isOpen,
      isDraining: () => this.#server.isDraining,
    });
    const inFlight = () => metrics.inFlight;
    this.#server = new ApiServer({ app, host, port, drainMs, name, events, inFlight });
    this.#inside = new Lifecycle([
      link,
      shipper,
      subscriber,
      clock,
      stores,
      storage,
      messenger,
      node.join({ describe: () => metrics.take() }),
    ]);
  }

  async start(): Promise<void> {
    await this.#server.start();
    await this.#inside.start();
    this.#isOpen = true;
  }

  async stop(): Promise<void> {
    this.#streams.endAll();
    await this.#server.drain();
    await this.#inside.stop();
    await this.#server.stop();
  }
}
