/**
 * The modules that web apps have mounted, as a node of the cluster knows them: each app's manifest is fetched when the node
 * starts, and again and again. An app that is away keeps no node from starting: what it has mounted joins when it answers;
 * until then it is asked after 0.5 s, 1 s, 2 s … up to 10 s. What an app no longer names stays known until the node starts
 * again, for its processes are still there.
 *
 * A name belongs to the node's own module, or to the first app that brings it; whoever else brings it is told once.
 */

import { firstLineOf } from "../runtime/turn-errors.ts";
import type { ServerModule } from "../server-module.ts";
import { Endpoint } from "./endpoint.ts";
import { isAnything, isCount, isObject, isOneOf, isText, isWord, listOf, record } from "./shape.ts";
import { type Manifest, type ManifestEntry, WIRE_VERSION } from "./wire.ts";

export type ModuleMap = ReadonlyMap<string, ServerModule>;

/** An app, as a module of it calls it. */
export interface RemoteApp {
  readonly endpoint: Endpoint;
  /** Fetches the manifest again at once; rejects with EndpointError. */
  refresh(): Promise<void>;
}

export interface RemoteModulesOptions {
  urls: readonly URL[];
  secret: string;
  /** The node's own modules, as they are now. */
  local(): ModuleMap;
  /** Throws where the app's rules for a module are wrong. */
  make(entry: ManifestEntry, app: RemoteApp): ServerModule;
  /** After a change, with the modules that are new or other ones. */
  onChange(changed: readonly ServerModule[]): void;
  /** A module cannot be used; told once. */
  onError(error: Error): void;
  /** An app cannot be asked; told once while it stays so. */
  onAway(error: Error): void;
  /** How often to ask an app that answers; 10,000 unless given. */
  everyMs?: number;
}

interface Known {
  app: App;
  /** Its entry in the manifest, JSON text. */
  entryText: string;
  module: ServerModule;
}

const EVERY_MS = 10_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const ANSWER_WITHIN_MS = 10_000;
/** How long a node that starts waits for the apps. */
const LOAD_WITHIN_MS = 2_000;

const isManifest = record({
  v: isOneOf(WIRE_VERSION),
  modules: listOf(
    record({ name: isWord, version: isCount, rules: isObject, callbacks: listOf(isText, 20), handlers: isAnything }),
    10_000,
  ),
});

export class RemoteModules {
  readonly #options: RemoteModulesOptions;
  readonly #apps: App[];
  readonly #known = new Map<string, Known>();
  readonly #told = new Set<string>();
  #all: { of: ModuleMap; modules: ModuleMap } | undefined;
  #isStarted = false;

  constructor(options: RemoteModulesOptions) {
    this.#options = options;
    this.#apps = options.urls.map(
      (url) =>
        new App(new Endpoint(url, options.secret), options.everyMs ?? EVERY_MS, {
          take: (app, manifest) => this.#take(app, manifest),
          onAway: options.onAway,
        }),
    );
  }

  /** The node's own modules and the apps'; a new map with each change. */
  get all(): ModuleMap {
    const of = this.#options.local();
    if (this.#all?.of !== of) {
      const remote = [...this.#known].map(([name, { module }]): [string, ServerModule] => [name, module]);
      this.#all = { of, modules: remote.length === 0 ? of : new Map([...remote, ...of]) };
    }
    return this.#all.modules;
  }

  /** Asks each app once; those that do not answer soon join later. Never rejects. */
  async load(): Promise<void> {
    const manifests = await Promise.all(this.#apps.map((app) => app.ask(LOAD_WITHIN_MS)));
    // In the order of the settings, so that every node gives a name to the same app.
    for (const [index, app] of this.#apps.entries()) this.#take(app, manifests[index]);
  }

  async start(): Promise<void> {
    this.#isStarted = true;
    for (const app of this.#apps) app.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#apps.map((app) => app.stop()));
  }

  #take(app: App, manifest: Manifest | undefined): void {
    const changed: ServerModule[] = [];
    for (const entry of manifest?.modules ?? []) {
      const module = this.#learn(app, entry);
      if (module) changed.push(module);
    }
    if (changed.length === 0) return;
    this.#all = undefined;
    if (this.#isStarted) this.#options.onChange(changed);
  }

  /** Undefined where there is nothing new. */
  #learn(app: App, entry: ManifestEntry): ServerModule | undefined {
    const url = app.endpoint.name;
    const known = this.#known.get(entry.name);
    const isLocal = this.#options.local().has(entry.name);
    if (isLocal || (known && known.app !== app)) {
      const owner = isLocal ? "MODULES_DIR" : known?.app.endpoint.name;
      this.#tell(`the module "${entry.name}" of ${url} is also in ${owner}, and that one is used`);
      return undefined;
    }
    const entryText = JSON.stringify(entry);
    if (known?.entryText === entryText) return undefined;
    try {
      const module = this.#options.make(entry, app);
      this.#known.set(entry.name, { app, entryText, module });
      return module;
    } catch (error) {
      this.#tell(`${url}: ${firstLineOf(error)}`);
      return undefined;
    }
  }

  #tell(fault: string): void {
    if (this.#told.has(fault)) return;
    this.#told.add(fault);
    this.#options.onError(new Error(fault));
  }
}

interface AppHooks {
  take(app: App, manifest: Manifest): void;
  onAway(error: Error): void;
}

class App implements RemoteApp {
  readonly endpoint: Endpoint;
  readonly #everyMs: number;
  readonly #hooks: AppHooks;
  readonly #isStopped = new AbortController();
  #failures = 0;
  #lastFault = "";
  #timer: NodeJS.Timeout | undefined;
  #asking: Promise<void> | undefined;

  constructor(endpoint: Endpoint, everyMs: number, hooks: AppHooks) {
    this.endpoint = endpoint;
    this.#everyMs = everyMs;
    this.#hooks = hooks;
  }

  start(): void {
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#isStopped.abort();
    clearTimeout(this.#timer);
    await this.endpoint.close();
  }

  /** One fetch for whoever asks meanwhile. */
  refresh(): Promise<void> {
    this.#asking ??= this.#fetch(ANSWER_WITHIN_MS)
      .then((manifest) => this.#hooks.take(this, manifest))
      .finally(() => {
        this.#asking = undefined;
      });
    return this.#asking;
  }

  /** The manifest. Tells of a failure instead of rejecting: the same one once. */
  async ask(withinMs: number): Promise<Manifest | undefined> {
    try {
      const manifest = await this.#fetch(withinMs);
      this.#failures = 0;
      this.#lastFault = "";
      return manifest;
    } catch (error) {
      this.#failures += 1;
      const fault = firstLineOf(error);
      if (!this.#isStopped.signal.aborted && fault !== this.#lastFault) this.#hooks.onAway(new Error(fault));
      this.#lastFault = fault;
      return undefined;
    }
  }

  async #fetch(withinMs: number): Promise<Manifest> {
    const { signal } = this.#isStopped;
    const { status, body } = await this.endpoint.send({ method: "GET", withinMs, signal });
    if (status === 200 && isManifest(body)) return body as Manifest;
    throw new Error(`${this.endpoint.name} answered no manifest: ${status}`);
  }

  #schedule(): void {
    if (this.#isStopped.signal.aborted) return;
    const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
    const pauseMs = this.#failures > 0 ? backoffMs : this.#everyMs;
    this.#timer = setTimeout(async () => {
      const manifest = await this.ask(ANSWER_WITHIN_MS);
      if (manifest) this.#hooks.take(this, manifest);
      this.#schedule();
    }, pauseMs).unref();
  }
}
