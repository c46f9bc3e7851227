/** The thread of a migration's trials; see migration.ts. */

import { parentPort, workerData } from "node:worker_threads";
import { loadModules } from "genserverless/load-modules.ts";
import { changeState } from "genserverless/runtime/change-state.ts";
import type { Trial } from "./migration.ts";

const modules = await loadModules(workerData as string[]);

parentPort?.on("message", async ({ module: name, fromVersion, stateText }: Trial) => {
  const module = modules.get(name);
  const changed = module ? await changeState(module, fromVersion, stateText) : { error: `there is no module ${name}` };
  parentPort?.postMessage("error" in changed ? changed.error : "");
});
