import { createNode } from "@genserverless/shared/cluster/node.ts";
import { Lifecycle, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { loadModules } from "genserverless/load-modules.ts";
import { readWorkerSettings } from "./config.ts";
import { Worker } from "./worker.ts";

try {
  const settings = readWorkerSettings(process.env);
  const log = createLog(`worker@${settings.cluster.nodeName}`);
  const node = createNode("worker", settings.cluster, log);
  const modules = await loadModules(settings.cluster.modulesDirs);
  const worker = new Worker(node, settings, modules, log);
  await runUntilSignalled(new Lifecycle([node.link, node.subscriber, worker]), (error) => log.fatal(String(error)));
} catch (error) {
  createLog("worker").fatal((error as Error).message);
  process.exit(1);
}
