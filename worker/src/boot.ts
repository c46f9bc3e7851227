import { createNode } from "@genserverless/shared/cluster/node.ts";
import { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { Lifecycle, type Part, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { readRemoteSettings } from "@genserverless/shared/service/remote-settings.ts";
import { prepareStores } from "@genserverless/shared/stores/open-stores.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";
import { openTracer } from "@genserverless/shared/trace/open-tracer.ts";
import { ModuleFolders } from "genserverless/module-folders.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

try {
  const settings = readWorkerSettings(process.env);
  const shipper = new LogShipper();
  const log = createLog(`worker@${settings.cluster.nodeName}`, process.env, 1, shipper);
  const node = createNode("worker", settings.cluster, log, shipper);
  const folders = new ModuleFolders(settings.cluster.modulesDirs, {
    onChange: (all, changed) => void worker.learn(changed.map((name) => all.get(name) as ServerModule)),
    onError: (error) => node.events.emit("error", "module.broken", { error: error.message }),
  });
  await folders.load();
  const openStores = await prepareStores(readStoreSettings(process.env), settings.cluster.keyPrefix);
  const stores = openStores(node.events);
  stores.checkStores(folders.modules.values());
  const remoteSettings = readRemoteSettings(process.env);
  const remotes = remoteSettings.urls.length > 0 ? await openRemotes() : undefined;
  const modules = remotes?.all ?? folders.modules;
  const tracer = await openTracer("worker", settings.cluster.nodeName, log);
  const worker = new Worker(node, settings, { modules, stores, tracer, log });
  // What a module's code does beside its turn must not end the node: its processes' state is safe, and others run here.
  for (const event of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(event, (error: unknown) => node.events.emit("error", "module.stray", { error: describeError(error) }));
  }
  const doors = settings.metricsPort > 0 ? [await openMetrics()] : [];
  const { link, subscriber } = node;
  const web = remotes ? [remotes] : [];
  const parts = new Lifecycle([tracer, ...doors, link, shipper, subscriber, stores, ...web, worker, folders]);

  /** What it takes is loaded only where it is wanted: a worker boots faster without. */
  async function openMetrics(): Promise<Part> {
    const { MetricsServer } = await import("@genserverless/shared/metrics/metrics-server.ts");
    const { createWorkerRegistry } = await import("./metrics.ts");
    const { host, metricsPort: port } = settings;
    return new MetricsServer({ host, port, registry: createWorkerRegistry(node, worker), events: node.events });
  }

  async function openRemotes() {
    const { RemoteModules } = await import("genserverless/web/remote-modules.ts");
    const { makeRemoteModule } = await import("./remote/make-remote-module.ts");
    const opened = new RemoteModules({
      ...remoteSettings,
      local: () => folders.modules,
      make: (entry, app) => {
        const module = makeRemoteModule(entry, app, () => opened.all);
        stores.checkStores([module]);
        return module;
      },
      onChange: (changed) => void worker.learn(changed),
      onError: (error) => node.events.emit("error", "module.broken", { error: error.message }),
      onAway: (error) => node.events.emit("warn", "remote.away", { error: error.message }),
    });
    await opened.load();
    return opened;
  }
  await runUntilSignalled(parts, (error) => log.fatal(String(error)));
} catch (error) {
  createLog("worker", {}).fatal((error as Error).message);
  process.exit(1);
}
