import { createNode } from "@genserverless/shared/cluster/node.ts";
import { Lifecycle, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { prepareStores } from "@genserverless/shared/stores/open-stores.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";
import { ModuleFolders } from "genserverless/module-folders.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

try {
  const settings = readWorkerSettings(process.env);
  const log = createLog(`worker@${settings.cluster.nodeName}`);
  const node = createNode("worker", settings.cluster, log);
  const folders = new ModuleFolders(settings.cluster.modulesDirs, {
    onChange: (all, changed) => void worker.learn(changed.map((name) => all.get(name) as ServerModule)),
    onError: (error) => node.events.emit("error", "module.broken", { error: error.message }),
  });
  const modules = await folders.load();
  const openStores = await prepareStores(readStoreSettings(process.env), settings.cluster.keyPrefix);
  const stores = openStores(node.events);
  stores.checkStores(modules.values());
  const worker = new Worker(node, settings, { modules, stores, log });
  // What a module's code does beside its turn must not end the node: its processes' state is safe, and others run here.
  for (const event of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(event, (error: unknown) => node.events.emit("error", "module.stray", { error: describeError(error) }));
  }
  const parts = new Lifecycle([node.link, node.subscriber, stores, worker, folders]);
  await runUntilSignalled(parts, (error) => log.fatal(String(error)));
} catch (error) {
  createLog("worker", {}).fatal((error as Error).message);
  process.exit(1);
}
