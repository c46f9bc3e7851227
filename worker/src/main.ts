import { createNode } from "@genserverless/shared/cluster/node.ts";
import { Lifecycle, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { openStores } from "@genserverless/shared/stores/open-stores.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";
import { loadModules } from "genserverless/load-modules.ts";
import { describeError } from "genserverless/runtime/turn.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

try {
  const settings = readWorkerSettings(process.env);
  const log = createLog(`worker@${settings.cluster.nodeName}`);
  const node = createNode("worker", settings.cluster, log);
  const modules = await loadModules(settings.cluster.modulesDirs);
  const stores = await openStores(readStoreSettings(process.env), settings.cluster.keyPrefix, node.events);
  stores.checkStores(modules.values());
  const worker = new Worker(node, settings, { modules, stores, log });
  // What a module's code does beside its turn must not end the node: its processes' state is safe, and others run here.
  for (const event of ["unhandledRejection", "uncaughtException"] as const) {
    process.on(event, (error: unknown) => node.events.emit("error", "module.stray", { error: describeError(error) }));
  }
  await runUntilSignalled(new Lifecycle([node.link, node.subscriber, stores, worker]), (error) =>
    log.fatal(String(error)),
  );
} catch (error) {
  createLog("worker", {}).fatal((error as Error).message);
  process.exit(1);
}
