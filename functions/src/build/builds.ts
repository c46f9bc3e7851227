/**
 * Makes checkouts into builds, and knows what became of each.
 *
 *     nothing ──ask──► building ──► ready     kept until it is deleted
 *        ▲                 │
 *        │                 └──────► failed    kept with its reason; asked for again, it is built again
 *        └── a kill of the service
 *
 * One build of a project at a time, a few at once in all. What is being built lies in `work`, and becomes a build by one
 * rename; a kill leaves nothing behind that anybody could take for one.
 */

import { execFile } from "node:child_process";
import { chmod, cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Checkout, Build as ToldBuild } from "@genserverless/shared/functions/functions-client.ts";
import type { FunctionSpec, Manifest } from "@genserverless/shared/functions/manifest.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { Problem } from "../problems.ts";
import { countProcesses } from "../sandbox/processes.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import type { Checkouts } from "../source/checkouts.ts";
import { COMMIT, PROJECT } from "../source/repository.ts";
import { type DataDir, readJson } from "../store/data-dir.ts";
import type { Projects } from "../store/projects.ts";
import { Turnstile } from "../store/turnstile.ts";
import { BuildLog } from "./build-log.ts";
import { BuildFailure, type FailureCode } from "./failure.ts";
import { buildGo } from "./go-build.ts";
import { GoCache } from "./go-cache.ts";
import { checkLinks } from "./links.ts";
import { buildNode } from "./node-build.ts";

const run = promisify(execFile);

export interface Build extends ToldBuild {
  id: string;
  reason?: { code: FailureCode; message: string };
}

/** As it lies on the disk. */
interface KeptBuild {
  build: Build;
  checkout: Checkout;
}

interface Running {
  build: Build;
  log: BuildLog;
  cancel: AbortController;
  done: Promise<void>;
}

export interface BuildsOptions {
  dataDir: DataDir;
  projects: Projects;
  checkouts: Checkouts;
  sandboxes: Sandboxes;
  events: Events;
  atOnce: number;
  mostBytes: number;
  allowsScripts: boolean;
  npmRegistry: string | undefined;
  goProgram: string;
  goProxy: string;
}

export class Builds {
  readonly #options: BuildsOptions;
  readonly #turnstile: Turnstile;
  readonly #running = new Map<string, Running>();
  readonly #goCache: GoCache;
  readonly #manifests = new Map<string, Manifest>();

  constructor(options: BuildsOptions) {
    this.#options = options;
    this.#turnstile = new Turnstile(options.atOnce);
    this.#goCache = new GoCache(options.dataDir);
  }

  /** Begins to build, unless it is built or being built. Throws `unknown_project`, `unknown_checkout`. */
  async begin(project: string, commit: string): Promise<Build> {
    const id = nameBuild(project, commit);
    const { projects, checkouts, dataDir } = this.#options;
    const { uid } = projects.get(project);
    const known = this.#running.get(id)?.build ?? (await this.#readKept("builds", project, commit))?.build;
    if (known) return known;
    const checkout = await checkouts.find(project, commit);
    if (!checkout) throw new Problem("unknown_checkout", `${project} has no checkout of ${commit}; ask for it first`);
    const work = await dataDir.makeWork(0o711);
    // Another request may have been faster.
    const begun = this.#running.get(id);
    if (begun) {
      await dataDir.remove(work);
      return begun.build;
    }
    const build: Build = { id, project, commit, status: "building" };
    const log = new BuildLog(join(work, "build.log"));
    const cancel = new AbortController();
    const done = this.#turnstile.pass(project, () =>
      this.#build({ build, checkout, uid, work, log, signal: cancel.signal }),
    );
    this.#running.set(id, { build, log, cancel, done });
    return build;
  }

  /** Throws `unknown_build`. */
  async find(id: string): Promise<Build> {
    const { project, commit } = readBuildId(id);
    const running = this.#running.get(id);
    if (running) return running.build;
    const kept =
      (await this.#readKept("builds", project, commit)) ?? (await this.#readKept("failures", project, commit));
    if (!kept) throw new Problem("unknown_build", `nothing is known of a build ${id}; ask for it`);
    return kept.build;
  }

  /** What goes on now; undefined where the build is not under way. */
  findLog(id: string): BuildLog | undefined {
    return this.#running.get(id)?.log;
  }

  /** Where the log of a build that has ended lies. */
  logFile(build: Build): string {
    const kind = build.status === "ready" ? "builds" : "failures";
    return join(this.#options.dataDir.kept(kind, build.project, build.commit), "build.log");
  }

  /** The manifest of a build that is ready. Throws `unknown_build`. */
  async readManifest(project: string, commit: string): Promise<Manifest> {
    const id = nameBuild(project, commit);
    const known = this.#manifests.get(id);
    if (known) return known;
    const kept = await this.#readKept("builds", project, commit);
    if (!kept) throw new Problem("unknown_build", `${project} has no build of ${commit}`);
    this.#manifests.set(id, kept.checkout.manifest);
    return kept.checkout.manifest;
  }

  /** The files of a build. */
  tree(project: string, commit: string): string {
    return join(this.#options.dataDir.kept("builds", project, commit), "tree");
  }

  async delete(project: string, commit: string): Promise<void> {
    const id = nameBuild(project, commit);
    const running = this.#running.get(id);
    running?.cancel.abort();
    await running?.done;
    this.#manifests.delete(id);
    for (const kind of ["builds", "failures", "checkouts"] as const) {
      await this.#options.dataDir.remove(this.#options.dataDir.kept(kind, project, commit));
    }
  }

  /** Ends the builds of a project, and forgets what it knows of it. */
  async deleteProject(project: string): Promise<void> {
    const mine = [...this.#running.values()].filter(({ build }) => build.project === project);
    for (const { cancel } of mine) cancel.abort();
    await Promise.all(mine.map(({ done }) => done));
    for (const id of this.#manifests.keys()) if (id.startsWith(`${project}@`)) this.#manifests.delete(id);
  }

  /** Throws away whatever is half done. */
  async stop(): Promise<void> {
    const all = [...this.#running.values()];
    for (const { cancel } of all) cancel.abort();
    await Promise.all(all.map(({ done }) => done));
  }

  #readKept(kind: "builds" | "failures", project: string, commit: string): Promise<KeptBuild | undefined> {
    return readJson(join(this.#options.dataDir.kept(kind, project, commit), "build.json"));
  }

  /** Never rejects: whatever goes wrong is the build's reason. */
  async #build(making: Making): Promise<void> {
    const { build, checkout, log } = making;
    const { project, commit, id } = build;
    const { events } = this.#options;
    const startedAt = performance.now();
    const reason = await this.#make(making).then(() => undefined, toFailure);
    const durationMs = Math.round(performance.now() - startedAt);
    const status = reason ? ("failed" as const) : ("ready" as const);
    log.append(reason ? `failed: ${reason.code}: ${reason.message}` : `ready after ${durationMs} ms`);
    await log.close();
    const told = reason && { code: reason.code, message: reason.message };
    const ended: Build = { ...build, status, durationMs, ...(told && { reason: told }) };
    try {
      await this.#keep({ build: ended, checkout }, making);
      // Not before it can be used.
      Object.assign(build, ended);
    } finally {
      this.#running.delete(id);
      log.finish();
    }
    events.emit(reason ? "warn" : "info", `build.${status}`, { project, commit, durationMs, ...told });
  }

  /** The functions that are in use while another build is made; none where their build was lost. */
  async #readCurrent(project: string): Promise<FunctionSpec[]> {
    const { current } = this.#options.projects.get(project);
    const kept = current && (await this.#readKept("builds", project, current));
    return kept ? kept.checkout.manifest.functions : [];
  }

  /** Makes what was built count, or why it was not; what was cancelled is thrown away. */
  async #keep(kept: KeptBuild, { work, uid, signal }: Making): Promise<void> {
    const { dataDir, projects } = this.#options;
    const { project, commit, status } = kept.build;
    const isWanted = !signal.aborted && projects.all.some((one) => one.name === project && one.uid === uid);
    if (!isWanted) return dataDir.remove(work);
    if (status === "failed") await dataDir.remove(join(work, "tree"));
    if (status === "failed") await chmod(work, 0o700);
    await writeFile(join(work, "build.json"), JSON.stringify(kept));
    await dataDir.keep(work, status === "failed" ? "failures" : "builds", project, commit);
    if (status === "failed") return;
    for (const kind of ["failures", "checkouts"] as const) await dataDir.remove(dataDir.kept(kind, project, commit));
  }

  async #make({ build, checkout, uid, work, log, signal }: Making): Promise<void> {
    const { dataDir, sandboxes, allowsScripts, npmRegistry, goProgram, goProxy, mostBytes } = this.#options;
    const { project, commit } = build;
    const { runtime } = checkout.manifest;
    log.append(`building ${project} at ${commit} for ${runtime}`);
    const tree = join(work, "tree");
    const from = join(dataDir.kept("checkouts", project, commit), "tree");
    await mkdir(tree);
    await cp(from, tree, { recursive: true, verbatimSymlinks: true });
    const { hasUsers } = sandboxes.isolation;
    await sandboxes.give(tree, uid);
    const processes = countProcesses([...checkout.manifest.functions, ...(await this.#readCurrent(project))]);
    const options = { sandboxes, log, tree, uid, processes, manifest: checkout.manifest, signal };
    if (runtime === "node") await buildNode({ ...options, allowsScripts, npmRegistry });
    else await buildGo({ ...options, repository: checkout.repository, goProgram, goProxy, goCache: this.#goCache });
    signal.throwIfAborted();
    await checkLinks(tree);
    if ((await measureBytes(tree)) > mostBytes)
      throw new BuildFailure("too_large", `it is larger than ${mostBytes} bytes`);
    // The project's user may read it, and no other project's; nobody but the service may write.
    await run("chmod", ["-R", "u+rwX,go+rX,go-w,a-s", tree]);
    if (hasUsers) {
      await run("chown", ["-R", "-h", "0:0", tree]);
      await run("chown", [`0:${uid}`, work]);
    }
    await run("chmod", [hasUsers ? "750" : "700", work]);
  }
}

interface Making {
  build: Build;
  checkout: Checkout;
  uid: number;
  work: string;
  log: BuildLog;
  signal: AbortSignal;
}

export function nameBuild(project: string, commit: string): string {
  if (!PROJECT.test(project)) throw new Problem("invalid_request", "project must be the name of a project");
  if (!COMMIT.test(commit)) throw new Problem("invalid_request", "commit must be 40 hexadecimal digits");
  return `${project}@${commit}`;
}

function readBuildId(id: string): { project: string; commit: string } {
  const [project = "", commit = ""] = id.split("@", 2);
  nameBuild(project, commit);
  return { project, commit };
}

function toFailure(error: unknown): BuildFailure {
  if (error instanceof BuildFailure) return error;
  if ((error as Error).name === "AbortError") return new BuildFailure("cancelled", "the build was cancelled");
  return new BuildFailure("internal_error", String((error as Error).message ?? error));
}

async function measureBytes(folder: string): Promise<number> {
  const { stdout } = await run("du", ["-sk", folder]);
  return Number(stdout.split("\t")[0]) * 1_024;
}
