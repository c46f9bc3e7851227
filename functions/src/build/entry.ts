/** Which file has the functions, and what a sandbox needs to be told about one of them. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { FunctionSpec, Manifest } from "@genserverless/shared/functions/manifest.ts";

const ENTRIES = ["functions.js", "functions.ts", "functions.mjs", "functions.mts", "functions.cjs", "functions.cts"];

/** What a Go project is built into. */
export const GO_ENTRY = ".eserveless-go/functions";

export const ENTRY_WORDS = ENTRIES.join(", ");

export function findEntry(tree: string, runtime: Manifest["runtime"]): string | undefined {
  const names = runtime === "go" ? [GO_ENTRY] : ENTRIES;
  return names.find((name) => existsSync(join(tree, name)));
}

/** A function's environment: its meta as ESERVELESS_<KEY>, and what its env says. */
export function readEnvironment({ meta, env }: FunctionSpec): Record<string, string> {
  const named = Object.entries(meta).map(([key, value]) => [`ESERVELESS_${toVariable(key)}`, value]);
  return { ...env, ...Object.fromEntries(named) };
}

function toVariable(key: string): string {
  return key.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
}
