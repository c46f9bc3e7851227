/** Fetches commits of repositories, each once, and keeps their files until they are built. */

import { open, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Checkout } from "@genserverless/shared/functions/functions-client.ts";
import type { Manifest } from "@genserverless/shared/functions/manifest.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { MANIFEST_FILE, readManifest } from "../manifest/manifest.ts";
import { Problem } from "../problems.ts";
import { type DataDir, readJson } from "../store/data-dir.ts";
import type { Projects } from "../store/projects.ts";
import { Turnstile } from "../store/turnstile.ts";
import type { Git } from "./git.ts";
import { fetchCommit, resolveRef } from "./remote.ts";
import { type RepositoryRules, readRepository } from "./repository.ts";
import { type TreeLimits, writeTree } from "./tree.ts";

const AT_ONCE = 4;
const KEPT_MS = 24 * 3_600_000;
const SWEEP_EVERY_MS = 3_600_000;

export interface CheckoutsOptions {
  dataDir: DataDir;
  projects: Projects;
  git: Git;
  rules: RepositoryRules;
  limits: TreeLimits;
  events: Events;
}

export class Checkouts implements Part {
  readonly #options: CheckoutsOptions;
  readonly #turnstile = new Turnstile(AT_ONCE);
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CheckoutsOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { events } = this.#options;
    const sweep = () =>
      this.sweep(Date.now()).catch((error) => events.emit("error", "checkouts.not_swept", { error: String(error) }));
    await sweep();
    this.#timer = setInterval(sweep, SWEEP_EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  /** Fetches what `ref` is at now, unless that commit is here. Throws every Problem that a repository can be. */
  async checkOut(given: unknown, ref: string | undefined): Promise<Checkout> {
    const { rules, git } = this.#options;
    const repository = await readRepository(given, rules);
    return this.#turnstile.pass(repository.project, async () => {
      const resolved = await resolveRef(git, repository.url, ref);
      const { project, url } = repository;
      const known = (await this.find(project, resolved.commit)) ?? (await this.#findBuilt(project, resolved.commit));
      // The project is another repository's where the name is the same: claim says so.
      if (known) await this.#options.projects.claim(repository);
      if (known) return { ...known, repository: url, ref: resolved.ref };
      return this.#fetch(repository, resolved);
    });
  }

  /** What was fetched and not built yet. It is kept for another day. */
  async find(project: string, commit: string): Promise<Checkout | undefined> {
    const folder = this.#options.dataDir.kept("checkouts", project, commit);
    const checkout = await readJson<Checkout>(join(folder, "checkout.json"));
    const now = new Date();
    if (checkout) await utimes(folder, now, now);
    return checkout;
  }

  /** Forgets what nobody has built for a day. */
  async sweep(now: number): Promise<void> {
    const { dataDir, projects } = this.#options;
    for (const { name } of projects.all) {
      const folder = join(dataDir.project(name), "checkouts");
      for (const commit of await dataDir.list(folder)) {
        const checkout = join(folder, commit);
        const written = await stat(checkout).catch(() => undefined);
        if (written && now - written.mtimeMs > KEPT_MS) await dataDir.remove(checkout);
      }
    }
  }

  async #findBuilt(project: string, commit: string): Promise<Checkout | undefined> {
    const build = await readJson<{ checkout: Checkout }>(
      join(this.#options.dataDir.kept("builds", project, commit), "build.json"),
    );
    return build?.checkout;
  }

  async #fetch(
    repository: Awaited<ReturnType<typeof readRepository>>,
    { wanted, ref }: { wanted: string; ref: string },
  ): Promise<Checkout> {
    const { dataDir, projects, git, rules, limits, events } = this.#options;
    const { project, url } = repository;
    const work = await dataDir.makeWork();
    try {
      const startedAt = performance.now();
      const store = join(work, "fetched");
      const folder = join(work, "tree");
      const commit = await fetchCommit(git, url, wanted, store);
      await writeTree({ git, rules, limits, scratch: work }, { repository, store, commit, folder });
      const checkout = { project, repository: url, ref, commit, manifest: await readManifestIn(folder) };
      for (const name of await dataDir.list(work)) if (name !== "tree") await rm(join(work, name), { recursive: true });
      await writeFile(join(work, "checkout.json"), JSON.stringify(checkout));
      await projects.claim(repository);
      await dataDir.keep(work, "checkouts", project, commit);
      events.emit("info", "checkout.made", { project, commit, ms: Math.round(performance.now() - startedAt) });
      return checkout;
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
}

async function readManifestIn(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST_FILE);
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") throw new Problem("manifest_missing", `there is no ${MANIFEST_FILE} at the top`);
    throw error;
  });
  const isFile = (await handle.stat()).isFile();
  await handle.close();
  if (!isFile) throw new Problem("manifest_missing", `${MANIFEST_FILE} is no file`);
  return readManifest(await readFile(file, "utf8"));
}
