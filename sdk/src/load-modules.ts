/** Loads every module of some folders: each file is one module, its default export what `defineServer` made. */

import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { BUILT_IN_MODULES } from "./built-in-modules.ts";
import { isServerModule, type ServerModule } from "./server-module.ts";

/** A folder or a file of it cannot be used; the message names it. */
export class ModuleLoadError extends Error {
  override name = "ModuleLoadError";
}

/** How long a file's own code may take. */
const LOAD_MS = 30_000;

/** The modules by name. Tests, and files that begin with a dot or an underscore, are passed over. */
export async function loadModules(folders: readonly string[]): Promise<Map<string, ServerModule>> {
  const modules = new Map(BUILT_IN_MODULES.map((module) => [module.name, module]));
  const files = new Map<string, string>();
  for (const folder of folders) {
    for (const file of await listFiles(resolve(folder))) {
      const module = await loadModule(file);
      const earlier = files.get(module.name);
      if (earlier) throw new ModuleLoadError(`${file}: the name "${module.name}" is taken by ${earlier}`);
      files.set(module.name, file);
      modules.set(module.name, module);
    }
  }
  if (files.size === 0) throw new ModuleLoadError(`no module in MODULES_DIR ${folders.join(":")}`);
  return modules;
}

/** The paths of a folder's module files, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter(isModuleFile)
      .map((name) => join(folder, name))
      .sort();
  } catch (error) {
    throw new ModuleLoadError(`MODULES_DIR: ${folder} cannot be read: ${(error as Error).message}`);
  }
}

function isModuleFile(name: string): boolean {
  return /^[^._].*\.(ts|mts|js|mjs)$/.test(name) && !/\.(test|d)\.[a-z]+$/.test(name);
}

/** Imports a file, under another URL where one is given. Throws ModuleLoadError. */
export async function loadModule(file: string, url = pathToFileURL(file).href): Promise<ServerModule> {
  const giveUp = new AbortController();
  const late = delay(LOAD_MS, undefined, { signal: giveUp.signal }).then(() => {
    throw new Error(`it is still loading after ${LOAD_MS} ms`);
  });
  let exported: unknown;
  try {
    exported = (await Promise.race([import(url) as Promise<{ default?: unknown }>, late])).default;
  } catch (error) {
    throw new ModuleLoadError(`${file}: ${(error as Error).message}`, { cause: error });
  } finally {
    giveUp.abort();
    late.catch(() => {});
  }
  if (!isServerModule(exported)) throw new ModuleLoadError(`${file}: its default export is not made by defineServer`);
  return exported;
}
