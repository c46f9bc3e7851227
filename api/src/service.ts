/**
 * An api node as a whole. It listens when it has joined the cluster, for whoever listens is sent requests. Where Redis is away it
 * listens all the same after a while, so that callers hear why, and /health and /ready can be asked. It leaves in
 * the order that loses no call: the load balancer sees it go, what is in flight is answered, then its parts stop.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Control } from "@genserverless/shared/cluster/control.ts";
import { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import { hasJournal, JournalBroken } from "@genserverless/shared/cluster/journal.ts";
import { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { createNode } from "@genserverless/shared/cluster/node.ts";
import { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import { StorageWatch } from "@genserverless/shared/cluster/storage.ts";
import { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import { FunctionsClient } from "@genserverless/shared/functions/functions-client.ts";
import { HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { ProcessView } from "@genserverless/shared/inspect/views.ts";
import { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import type { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { createNodeRegistry } from "@genserverless/shared/metrics/node-metrics.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { ResolveState } from "@genserverless/shared/process/stored-state.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { Lifecycle, type Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Logger } from "@genserverless/shared/service/log.ts";
import type { StateStores } from "@genserverless/shared/stores/state-stores.ts";
import type { Tracer } from "@genserverless/shared/trace/tracer.ts";
import { createDoor } from "./app.ts";
import type { ApiSettings } from "./config.ts";
import { EventStreams } from "./event-streams.ts";
import { Leases } from "./functions/leases.ts";
import { ProjectsReader } from "./functions/projects.ts";
import { Relay } from "./functions/relay.ts";
import { JournalFeed } from "./journal/journal-feed.ts";
import { JournalReader } from "./journal/journal-reader.ts";
import { JournalStates } from "./journal/journal-states.ts";
import { ModuleRunner } from "./journal/module-runner.ts";
import { ApiMetrics } from "./metrics.ts";
import { tryMigration } from "./migration.ts";
import type { Modules } from "./request/check-message.ts";
import { ApiServer } from "./server.ts";
import { RequestTracing } from "./tracing.ts";

/** How long one that cannot join says nothing. */
const LISTEN_WITHIN_MS = 2_000;

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
  readonly #relay: Relay;
  #isOpen = false;

  constructor(settings: ApiSettings, { modules, openStores, log, shipper, tracer }: ApiParts) {
    const { cluster, host, port, drainMs, recoveryTimeoutMs, token, allowedHosts, functions } = settings;
    const node = createNode("api", cluster, log, shipper);
    const { link, keys, subscriber, clock, events, name } = node;
    const stores = openStores(events);
    const storage = new StorageWatch(link);
    const knowsModule = (module: string) => modules().has(module);
    const rulesOf = (module: string) => modules().get(module);
    const isStorageFull = () => storage.isFull;
    const { modulesDirs } = cluster;
    const runner = new ModuleRunner({ modulesDirs, limitMs: recoveryTimeoutMs, generation: modules });
    const reader = new JournalReader(link, keys);
    const states = new JournalStates(reader, runner, modules);
    const resolveState: ResolveState = (pid, text, mark) =>
      hasJournal(text) ? states.resolve(pid, text, mark) : stores.resolve(pid, text);
    const wipeState = (pid: Pid, reference: string) => stores.forget(pid, reference);
    const outboxes = new Outboxes({ link, keys, events, wipeState });
    const sending = { link, keys, knowsModule, rulesOf, isStorageFull, outboxes };
    const tracing = new RequestTracing(tracer);
    const messenger = new Messenger({ ...sending, subscriber, clock, traceparent: () => tracing.traceparent });
    const metrics = new ApiMetrics(createNodeRegistry({ events, link }));
    const snapshot = new Snapshot(link, keys, resolveState);
    const isDraining = () => this.#server.isDraining;
    const client = new FunctionsClient(functions.access);
    const leases = new Leases(functions.access);
    this.#relay = new Relay(functions.access, name, isDraining);
    const app = createDoor({
      messenger,
      snapshot,
      control: new Control({ ...sending, wipeState }),
      deadLetters: new DeadLetters(sending),
      transfer: new Transfer({ ...sending, resolveState, wipeState }),
      modules,
      tryMigration: (module, version) =>
        tryMigration(
          { link, keys, modulesDirs, resolveState, recoveryTimeoutMs, journals: reader.journals },
          module,
          version,
        ),
      metrics,
      tracing,
      logs: new LogFeed(link, keys),
      history: new HistoryFeed({ link, keys, subscriber, readProcess: (pid) => readAnyhow(snapshot, pid) }),
      journal: { reader, states, feed: new JournalFeed({ link, keys, subscriber, reader }) },
      functions: { ...functions, client, projects: new ProjectsReader(snapshot, client), relay: this.#relay, leases },
      streams: this.#streams,
      log,
      name,
      ...(token !== undefined && { token }),
      allowedHosts,
      isOpen: () => this.#isOpen,
      isDraining,
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
      runner,
      messenger,
      this.#relay,
      leases,
      node.join({ describe: () => metrics.take() }),
    ]);
  }

  async start(): Promise<void> {
    const joined = this.#inside.start();
    await Promise.race([joined, sleep(LISTEN_WITHIN_MS, undefined, { ref: false })]);
    await this.#server.start();
    await joined;
    this.#isOpen = true;
  }

  async stop(): Promise<void> {
    this.#streams.endAll();
    this.#relay.endStreams();
    await this.#server.drain();
    await this.#inside.stop();
    await this.#server.stop();
  }
}

/** A process whose journal cannot be made a state is followed without one. */
async function readAnyhow(snapshot: Snapshot, pid: Pid): Promise<ProcessView | undefined> {
  try {
    return await snapshot.readProcess(pid, true);
  } catch (error) {
    if (!(error instanceof JournalBroken || error instanceof ClusterError)) throw error;
    const process = await snapshot.readProcess(pid, false);
    return process && { ...process, state: null };
  }
}
