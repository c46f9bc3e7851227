import { LogShipper } from "@genserverless/shared/logs/log-shipper.ts";
import { Lifecycle, runUntilSignalled } from "@genserverless/shared/service/lifecycle.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { readRemoteSettings } from "@genserverless/shared/service/remote-settings.ts";
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
  const remoteSettings = readRemoteSettings(process.env);
  const remotes = remoteSettings.urls.length > 0 ? await openRemotes() : undefined;
  const modules = () => remotes?.all ?? folders.modules;
  const openStores = await prepareStores(readStoreSettings(process.env), settings.cluster.keyPrefix);
  const tracer = await openTracer("api", settings.cluster.nodeName, log);
  const service = new ApiService(settings, { modules, openStores, log, shipper, tracer });
  const web = remotes ? [remotes] : [];

  async function openRemotes() {
    const { RemoteModules } = await import("genserverless/web/remote-modules.ts");
    const { makeRulesModule } = await import("genserverless/web/rules.ts");
    const opened = new RemoteModules({
      ...remoteSettings,
      local: () => folders.modules,
      make: makeRulesModule,
      onChange: (changed) => log.info({ modules: changed.map(({ name }) => name) }, "modules.changed"),
      onError: (error) => log.error({ error: error.message }, "module.broken"),
      onAway: (error) => log.warn({ error: error.message }, "remote.away"),
    });
    await opened.load();
    return opened;
  }
  await runUntilSignalled(new Lifecycle([tracer, folders, ...web, service]), (error) => log.fatal(String(error)));
} catch (error) {
  createLog("api", {}).fatal((error as Error).message);
  process.exit(1);
}
