/** A module's rules as a manifest has them. */

import { defineServer, type ServerModule } from "../server-module.ts";
import type { ManifestEntry } from "./wire.ts";

/** As `defineServer` takes them, without callbacks. */
export function readRules({ name, version, rules }: ManifestEntry): Record<string, unknown> {
  const { idleAfterMs, ...rest } = rules;
  return { ...rest, name, version, ...(idleAfterMs !== undefined && { idleAfterMs: idleAfterMs ?? Infinity }) };
}

/** The module for a node that knows its rules and runs no callback. Throws InvalidModuleError. */
export function makeRulesModule(entry: ManifestEntry): ServerModule {
  const init = () => {
    throw new Error(`${entry.name} runs in workers only`);
  };
  return defineServer({ ...readRules(entry), init } as never) as ServerModule;
}
