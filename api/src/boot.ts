import { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { Lifecycle, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { prepareStores } from "@genserverless/shared/stores/open-stores.ts";
import { readStoreSettings } from "@genserverless/shared/stores/settings.ts";
import { openTracer } from "@genserverless/shared/trace/open-tracer.ts";
import { ModuleFolders } from "genserverless/module-folders.ts";
import { readApiSettings } from "./config.ts";
import { ApiService } from "./service.ts";

try {
  const settings = readApiSettings(process.env);
  const shipper = new LogShipper();
  const log = createLog(`api@${settings.cluster.nodeName}`, process.env, 1, shipper);
  const folders = new ModuleFolders(settings.cluster.modulesDirs, {
    onChange: (_all, changed) => log.info({ modules: changed }, "modules.changed"),
    onError: (error) => log.error({ error: error.message }, "module.broken"),
  });
  await folders.load();
  const openStores = await prepareStores(readStoreSettings(process.env), settings.cluster.keyPrefix);
  const tracer = await openTracer("api", settings.cluster.nodeName, log);
  const service = new ApiService(settings, { modules: () => folders.modules, openStores, log, shipper, tracer });
  await runUntilSignalled(new Lifecycle([tracer, folders, service]), (error) => log.fatal(String(error)));
} catch (error) {
  createLog("api", {}).fatal((error as Error).message);
  process.exit(1);
}
