/** Loads every module of some folders: each file is one module, its default export what `defineServer` made. */

import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { isServerModule, type ServerModule } from "./server-module.ts";

/** A folder or a file of it cannot be used; the message names it. */
export class ModuleLoadError extends Error {
  override name = "ModuleLoadError";
}

/** The modules by name. Tests, and files that begin with a dot or an underscore, are passed over. */
export async function loadModules(folders: readonly string[]): Promise<Map<string, ServerModule>> {
  const modules = new Map<string, ServerModule>();
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
  if (modules.size === 0) throw new ModuleLoadError(`no module in MODULES_DIR ${folders.join(":")}`);
  return modules;
}

async function listFiles(folder: string): Promise<string[]> {
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

async function loadModule(file: string): Promise<ServerModule> {
  let exported: unknown;
  try {
    exported = ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (error) {
    throw new ModuleLoadError(`${file}: ${(error as Error).message}`, { cause: error });
  }
  if (!isServerModule(exported)) throw new ModuleLoadError(`${file}: its default export is not made by defineServer`);
  return exported;
}
