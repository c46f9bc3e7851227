/** The pools of all functions of all builds: made when first asked for, gone when they have been empty for a while. */

import type { FunctionSpec, Manifest } from "@genserverless/shared/functions/manifest.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Builds } from "../build/builds.ts";
import { findEntry, readEnvironment } from "../build/entry.ts";
import type { Leases } from "../leases/leases.ts";
import type { FunctionLogs } from "../logs/function-logs.ts";
import { readOutput } from "../logs/output-reader.ts";
import { Problem } from "../problems.ts";
import type { Doors } from "../sandbox/door.ts";
import { countProcesses } from "../sandbox/processes.ts";
import { describeExit, NotStarted, Sandbox, type SandboxEnd } from "../sandbox/sandbox.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import { MOST_CPU_SECONDS } from "../sandbox/watch.ts";
import type { Project, Projects } from "../store/projects.ts";
import { Ahead } from "./ahead.ts";
import type { Figures } from "./figures.ts";
import { FunctionPool } from "./function-pool.ts";
import { Places } from "./places.ts";

export interface Target {
  project: string;
  commit: string;
  name: string;
}

export interface PoolsOptions {
  builds: Builds;
  projects: Projects;
  sandboxes: Sandboxes;
  logs: FunctionLogs;
  figures: () => Figures;
  leases: () => Leases;
  doors: Doors;
  events: Events;
  mostSandboxes: number;
  mostStarting: number;
  mostWaiting: number;
  idleMs: number;
}

export interface FoundFunction {
  target: Target;
  spec: FunctionSpec;
  pool: FunctionPool;
}

const LOOK_EVERY_MS = 1_000;
const TMP_MB = 64;
/** What ends a sandbox in the ordinary course of things is not told in its function's log. */
const ORDINARY = new Set(["idle", "replaced", "stopped", "retired"]);
const WORDS: Partial<Record<NonNullable<SandboxEnd["reason"]>, string>> = {
  timeout: "did not answer in time, and was ended",
  memory: "took more memory than its share, and was ended",
  idle_cpu: "went on computing when it had nothing to do, and was ended",
  start: "did not load in time, and was ended",
};

export class Pools implements Part {
  readonly #options: PoolsOptions;
  readonly #pools = new Map<string, FoundFunction>();
  readonly #places: Places;
  readonly #ahead = new Ahead();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PoolsOptions) {
    this.#options = options;
    const { mostSandboxes: most, mostStarting } = options;
    this.#places = new Places({ most, mostStarting, evict: () => this.#evict() });
  }

  /** Warms up what is current. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#look().catch(() => {}), LOOK_EVERY_MS).unref();
    for (const project of this.#options.projects.all) await this.#warmCurrent(project).catch(() => {});
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#close(() => true);
  }

  *sandboxes(): Iterable<Sandbox> {
    for (const { pool } of this.#pools.values()) yield* pool.sandboxes;
  }

  get all(): FoundFunction[] {
    return [...this.#pools.values()];
  }

  count(): { warm: number; busy: number } {
    const warm = this.all.reduce((sum, { pool }) => sum + pool.idleCount, 0);
    return { warm, busy: this.#places.taken - warm };
  }

  /** Throws `unknown_build`, `unknown_function`. A function of another type is unknown too. */
  async find(target: Target, isHttp: boolean): Promise<FoundFunction> {
    const known = this.#pools.get(nameTarget(target)) ?? (await this.#open(target));
    if ((known.spec.type === "http") === isHttp) return known;
    throw new Problem("unknown_function", `${target.name} is a function of type ${known.spec.type}`);
  }

  /** Keeps the sandboxes of one build warm, and of no other of its project. */
  async warm(project: string, commit: string): Promise<void> {
    await this.#options.builds.readManifest(project, commit);
    await this.#options.projects.setCurrent(project, commit);
    const isOld = ({ target }: FoundFunction) => target.project === project && target.commit !== commit;
    for (const found of this.#pools.values()) if (isOld(found)) found.pool.keepWarm(false);
    await this.#options.leases().revoke(isOld);
    await this.#warmCurrent(this.#options.projects.get(project));
  }

  /** Ends the sandboxes of a project, or of one build of it. */
  async closeBuild(project: string, commit?: string): Promise<void> {
    await this.#close(({ target }) => target.project === project && (commit === undefined || target.commit === commit));
  }

  async #close(isMeant: (found: FoundFunction) => boolean): Promise<void> {
    const meant = [...this.#pools].filter(([, found]) => isMeant(found));
    for (const [key] of meant) this.#pools.delete(key);
    await Promise.all(meant.map(([, { pool }]) => pool.close()));
  }

  async #warmCurrent({ name: project, current }: Project): Promise<void> {
    if (current === undefined) return;
    const { functions } = await this.#options.builds.readManifest(project, current);
    for (const { name, keepWarm } of functions) {
      if (keepWarm > 0) (await this.#open({ project, commit: current, name })).pool.keepWarm(true);
    }
  }

  async #open(target: Target): Promise<FoundFunction> {
    const manifest = await this.#options.builds.readManifest(target.project, target.commit);
    const { current } = this.#options.projects.get(target.project);
    const key = nameTarget(target);
    const known = this.#pools.get(key);
    if (known) return known;
    const spec = manifest.functions.find(({ name }) => name === target.name);
    if (!spec) throw new Problem("unknown_function", `${target.project} has no function ${target.name}`);
    const found = { target, spec, pool: this.#makePool(target, spec, manifest) };
    this.#pools.set(key, found);
    if (current === target.commit) found.pool.keepWarm(true);
    return found;
  }

  #makePool(target: Target, spec: FunctionSpec, manifest: Manifest): FunctionPool {
    const { idleMs, mostWaiting } = this.#options;
    return new FunctionPool({
      spec,
      idleMs,
      mostWaiting,
      places: this.#places,
      spawn: () => this.#spawn(target, spec, manifest),
      onEnded: (sandbox, end) => this.#noteEnd(target, sandbox, end),
      onFailed: (error) => this.#noteFailure(target, error),
      onWaiting: () => this.#options.leases().revokeOldest((found) => isSame(found.target, target)),
      onStarted: (ms) => this.#options.figures().noteColdStart(target.project, target.name, ms),
    });
  }

  async #spawn(target: Target, spec: FunctionSpec, { functions, runtime }: Manifest): Promise<Sandbox> {
    const { builds, projects, sandboxes } = this.#options;
    const source = builds.tree(target.project, target.commit);
    const entryName = findEntry(source, runtime);
    if (!entryName) throw new Problem("unknown_build", `the build of ${target.commit} has lost its functions`);
    if (runtime === "go" && !sandboxes.holdsNativeCode) throw new NotStarted("start", "Go functions need namespaces");
    const { memoryMb, name, type } = spec;
    const made = await sandboxes.make({
      uid: projects.get(target.project).uid,
      folders: [sandboxes.runtime, { name: "code", source }],
      memoryMb,
      cpuSeconds: MOST_CPU_SECONDS,
      processes: countProcesses([...functions, ...this.#specsBeside(target)]),
      tmpMb: TMP_MB,
    });
    const order = { entryName, name, type, env: readEnvironment(spec) };
    const door = runtime === "node" && type === "http" ? await this.#options.doors.make() : undefined;
    const sandbox: Sandbox = new Sandbox({
      made,
      door,
      runtime,
      memoryMb,
      order,
      onOutput: (stream, from) =>
        readOutput(
          stream,
          (text) => this.#log(target, sandbox?.number ?? 0, from, text),
          (bytes) => this.#log(target, sandbox?.number ?? 0, "service", `${bytes} bytes of ${from} were left out`),
        ),
    });
    return sandbox;
  }

  /** Of the other builds of its project that are in use. */
  #specsBeside({ project, commit }: Target): FunctionSpec[] {
    const beside = this.all.filter(({ target }) => target.project === project && target.commit !== commit);
    return beside.map(({ spec }) => spec);
  }

  #noteEnd(target: Target, sandbox: Sandbox, { reason, code, signal }: SandboxEnd): void {
    const words = (reason && WORDS[reason]) ?? `ended by itself ${describeExit(code, signal)}`;
    const isOrdinary = reason !== undefined && ORDINARY.has(reason);
    const fields = { ...target, sandbox: sandbox.number, reason: reason ?? "by itself", code, signal };
    this.#options.events.emit(isOrdinary ? "debug" : "warn", "sandbox.ended", fields);
    if (!isOrdinary) this.#log(target, sandbox.number, "service", `the sandbox ${words}`);
  }

  #noteFailure(target: Target, error: unknown): void {
    const isKnown = error instanceof NotStarted;
    this.#options.events.emit("warn", "sandbox.not_started", { ...target, error: String(error) });
    const words = isKnown ? error.message : "the error is in the log of the functions service";
    this.#log(target, 0, "service", `the function cannot be started: ${words}`);
  }

  #log(
    { project, name, commit }: Target,
    sandbox: number,
    stream: "stdout" | "stderr" | "service",
    text: string,
  ): void {
    this.#options.logs.get(project, name).append({ at: Date.now(), commit, sandbox, stream, text });
  }

  async #look(): Promise<void> {
    const now = performance.now();
    for (const { pool } of this.#pools.values()) pool.trim(now);
    const functions = new Map<string, FunctionSpec>();
    const targets = new Map<string, Target>();
    for (const { name: project, current: commit } of this.#options.projects.all) {
      if (commit === undefined) continue;
      for (const spec of (await this.#options.builds.readManifest(project, commit)).functions) {
        const target = { project, commit, name: spec.name };
        functions.set(nameTarget(target), spec);
        targets.set(nameTarget(target), target);
      }
    }
    for (const { key, inMs } of this.#ahead.findDue(functions, Date.now())) {
      const { pool } = await this.#open(targets.get(key) as Target);
      pool.warmFor(inMs);
    }
  }

  /** Of all pools, the sandbox that has been idle longest. */
  #evict(): boolean {
    const candidates = this.all.flatMap(({ pool }) => (pool.oldestIdle ? [{ pool, sandbox: pool.oldestIdle }] : []));
    const oldest = candidates.toSorted((a, b) => a.sandbox.idleSince - b.sandbox.idleSince)[0];
    oldest?.pool.evict(oldest.sandbox);
    // One that is taken back is idle then, and may go.
    if (!oldest) this.#options.leases().revokeOldest();
    return oldest !== undefined;
  }
}

function isSame(a: Target, b: Target): boolean {
  return a.project === b.project && a.commit === b.commit && a.name === b.name;
}

export function nameTarget({ project, commit, name }: Target): string {
  return `${project}/${commit}/${name}`;
}
