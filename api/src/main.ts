import { runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { loadModules } from "genserverless/load-modules.ts";
import { readApiSettings } from "./config.ts";
import { ApiService } from "./service.ts";

try {
  const settings = readApiSettings(process.env);
  const log = createLog(`api@${settings.cluster.nodeName}`);
  const modules = await loadModules(settings.cluster.modulesDirs);
  const service = new ApiService(settings, modules, log);
  await runUntilSignalled(service, (error) => log.fatal(String(error)));
} catch (error) {
  createLog("api", {}).fatal((error as Error).message);
  process.exit(1);
}
