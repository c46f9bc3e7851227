/**
 * The modules of some folders, as they are now: a file that changes, or appears, is loaded again while the node runs, and so
 * is every module that imports it from inside the folders.
 *
 * Files are looked at, mtime and size, once a second: that works on network mounts and in containers, where nobody tells of
 * changes. What has changed is loaded once it has stayed as it is for a moment, so that a file is not read half written.
 * A file that cannot be used is told, and leaves the module as it was. One that is removed leaves its module too, until the
 * node starts again: its processes are still there.
 */

import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { BUILT_IN_MODULES } from "./built-in-modules.ts";
import { currentUrl, findChanged, followImports, noteChanges } from "./import-graph.ts";
import { listFiles, loadModule, ModuleLoadError } from "./load-modules.ts";
import { firstLineOf } from "./runtime/turn-errors.ts";
import type { ServerModule } from "./server-module.ts";

export type ModuleMap = ReadonlyMap<string, ServerModule>;

export interface ModuleFoldersOptions {
  /** After a change, with all modules, in a new map, and the names of those that changed. */
  onChange(modules: ModuleMap, changed: readonly string[]): void;
  /** A file or folder cannot be used; told once for each change. */
  onError(error: ModuleLoadError): void;
  /** How often to look; 1,000 unless given. */
  everyMs?: number;
}

/** A module file: what its path really is, and the module it was last loaded as. */
interface Entry {
  url: string;
  name: string | undefined;
  /** The file that has the name which this one's module wants. */
  rival?: string;
}

const EVERY_MS = 1_000;

export class ModuleFolders {
  readonly #folders: readonly string[];
  readonly #options: ModuleFoldersOptions;
  readonly #everyMs: number;
  readonly #entries = new Map<string, Entry>();
  #modules: ModuleMap = new Map(BUILT_IN_MODULES.map((module) => [module.name, module]));
  #isLoaded = false;
  #roots: string[] = [];
  /** What had changed at the last look, as text: it is acted upon when it is still the same at the next. */
  #unsettled = "";
  #lastFault = "";
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(folders: readonly string[], options: ModuleFoldersOptions) {
    this.#folders = folders.map((folder) => resolve(folder));
    this.#options = options;
    this.#everyMs = options.everyMs ?? EVERY_MS;
  }

  /** A new map with each change. */
  get modules(): ModuleMap {
    return this.#modules;
  }

  /** Loads all of them. Throws ModuleLoadError for the first file that cannot be used, and where there is no module. */
  async load(): Promise<ModuleMap> {
    this.#roots = [];
    this.#entries.clear();
    for (const folder of this.#folders) {
      await listFiles(folder);
      const root = `${pathToFileURL(await realpath(folder)).href}/`;
      followImports(root);
      this.#roots.push(root);
    }
    const listed = await this.#listEntries();
    await this.#reload(listed, new Set(), (error) => {
      throw error;
    });
    if (listed.size === 0) throw new ModuleLoadError(`no module in MODULES_DIR ${this.#folders.join(":")}`);
    this.#isLoaded = true;
    return this.#modules;
  }

  /** Goes on looking for changes until `stop`. */
  async start(): Promise<void> {
    if (!this.#isLoaded) await this.load();
    this.#schedule(this.#everyMs);
  }

  /** What is being looked at meanwhile is not told any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(async () => {
      const isUnsettled = await this.#look();
      this.#schedule(isUnsettled ? this.#everyMs / 4 : this.#everyMs);
    }, ms).unref();
  }

  /** Says whether something has changed that may still be changing. */
  async #look(): Promise<boolean> {
    try {
      const listed = await this.#listEntries();
      const changed = (await Promise.all(this.#roots.map(findChanged))).flat();
      const fresh = [...listed].filter(([file, url]) => this.#entries.get(file)?.url !== url);
      this.#lastFault = "";
      const seen = changed.length + fresh.length > 0 ? JSON.stringify([...changed, ...fresh]) : "";
      const isSettled = seen === this.#unsettled;
      this.#unsettled = isSettled ? "" : seen;
      if (seen === "" || !isSettled) return seen !== "";
      if (this.#isStopped) return false;
      await this.#reload(listed, noteChanges(changed), (error) => this.#tell(error));
    } catch (error) {
      this.#tellOnce(error);
    }
    return false;
  }

  /** Every module file with the URL of what it really is. */
  async #listEntries(): Promise<Map<string, string>> {
    const listed = new Map<string, string>();
    for (const folder of this.#folders) {
      for (const file of await listFiles(folder)) {
        listed.set(file, pathToFileURL(await realpath(file).catch(() => file)).href);
      }
    }
    return listed;
  }

  /** Loads what is new or affected. */
  async #reload(
    listed: ReadonlyMap<string, string>,
    affected: ReadonlySet<string>,
    fail: (error: ModuleLoadError) => void,
  ): Promise<void> {
    const modules = new Map(this.#modules);
    const changed: string[] = [];
    for (const [file, url] of listed) {
      const entry = this.#entries.get(file);
      const isOutbid = entry?.rival !== undefined && listed.has(entry.rival);
      if (entry?.url === url && !affected.has(url) && (!entry.rival || isOutbid)) continue;
      this.#entries.set(file, { url, name: entry?.name });
      try {
        const module = await loadModule(file, currentUrl(url));
        const rival = this.#findRival(file, module.name, listed);
        this.#entries.set(file, { url, name: rival ? entry?.name : module.name, ...(rival && { rival }) });
        if (rival) throw new ModuleLoadError(`${file}: the name "${module.name}" is taken by ${rival}`);
        modules.set(module.name, module);
        changed.push(module.name);
      } catch (error) {
        fail(toLoadError(file, error));
      }
    }
    if (changed.length === 0) return;
    this.#modules = modules;
    if (this.#isLoaded && !this.#isStopped) this.#options.onChange(modules, changed);
  }

  /** A name belongs to the file that brought it, for as long as that is there. */
  #findRival(file: string, name: string, listed: ReadonlyMap<string, string>): string | undefined {
    return [...this.#entries].find(([other, entry]) => other !== file && entry.name === name && listed.has(other))?.[0];
  }

  #tellOnce(error: unknown): void {
    const fault = firstLineOf(error);
    if (fault === this.#lastFault) return;
    this.#lastFault = fault;
    this.#tell(error instanceof ModuleLoadError ? error : new ModuleLoadError(fault, { cause: error }));
  }

  #tell(error: ModuleLoadError): void {
    if (!this.#isStopped) this.#options.onError(error);
  }
}

function toLoadError(file: string, error: unknown): ModuleLoadError {
  if (error instanceof ModuleLoadError) return error;
  return new ModuleLoadError(`${file}: ${firstLineOf(error)}`, { cause: error });
}
