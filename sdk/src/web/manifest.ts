/** What an app tells a cluster of the modules that it has mounted. */

import { HANDLER_KINDS } from "../handlers.ts";
import { isHandled, MESSAGE_CALLBACKS } from "../runtime/dispatch.ts";
import { isServerModule, type ServerModule } from "../server-module.ts";
import { type Manifest, type ManifestEntry, WIRE_VERSION } from "./wire.ts";

const OTHER_CALLBACKS = ["init", "handleContinue", "terminate", "codeChange"] as const;

/** The modules by name. Throws TypeError where one is none, is a journaled one, or shares its name with another. */
export function readMounted(given: readonly unknown[]): Map<string, ServerModule> {
  const modules = new Map<string, ServerModule>();
  for (const module of given) {
    if (!isServerModule(module)) throw new TypeError("modules: each must be what defineServer made");
    if ("journal" in module && module.journal !== undefined) {
      throw new TypeError(`modules: ${module.name} keeps a journal, and those run in workers only`);
    }
    if (modules.has(module.name)) throw new TypeError(`modules: two are called ${module.name}`);
    modules.set(module.name, module);
  }
  if (modules.size === 0) throw new TypeError("modules: there must be at least one");
  return modules;
}

export function describeModules(modules: Iterable<ServerModule>): Manifest {
  return { v: WIRE_VERSION, modules: Array.from(modules, describe) };
}

function describe(module: ServerModule): ManifestEntry {
  const { name, version, turnTimeoutMs, idleAfterMs, onDemand, keepState, writePolicy } = module;
  const { retry, intensity, mailbox, trapExit, store } = module;
  const rules = { turnTimeoutMs, onDemand, keepState, writePolicy, retry, intensity, mailbox, trapExit, store };
  return {
    name,
    version,
    rules: { ...rules, idleAfterMs: idleAfterMs === Infinity ? null : idleAfterMs },
    callbacks: [
      ...OTHER_CALLBACKS.filter((callback) => module[callback] !== undefined),
      ...Object.values(MESSAGE_CALLBACKS).filter((callback) => isHandled(module, callback)),
    ],
    handlers: Object.fromEntries(HANDLER_KINDS.map((kind) => [kind, Object.keys(module[kind] ?? {})])),
  };
}
