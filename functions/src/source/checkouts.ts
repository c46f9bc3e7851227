/** Fetches commits of repositories, each once, and keeps their files until they are built. */

import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Events } from "@genserverless/shared/service/events.ts";
import { MANIFEST_FILE, type Manifest, readManifest } from "../manifest/manifest.ts";
import { Problem } from "../problems.ts";
import { type DataDir, readJson } from "../store/data-dir.ts";
import type { Projects } from "../store/projects.ts";
import { Turnstile } from "../store/turnstile.ts";
import type { Git } from "./git.ts";
import { fetchCommit, resolveRef } from "./remote.ts";
import { type RepositoryRules, readRepository } from "./repository.ts";
import { type TreeLimits, writeTree } from "./tree.ts";

const AT_ONCE = 4;

export interface Checkout {
  project: string;
  repository: string;
  /** The branch or tag that was asked for, or the default branch. */
  ref: string;
  commit: string;
  manifest: Manifest;
}

export interface CheckoutsOptions {
  dataDir: DataDir;
  projects: Projects;
  git: Git;
  rules: RepositoryRules;
  limits: TreeLimits;
  events: Events;
}

export class Checkouts {
  readonly #options: CheckoutsOptions;
  readonly #turnstile = new Turnstile(AT_ONCE);

  constructor(options: CheckoutsOptions) {
    this.#options = options;
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

  /** What was fetched and not built yet. */
  find(project: string, commit: string): Promise<Checkout | undefined> {
    return readJson(join(this.#options.dataDir.kept("checkouts", project, commit), "checkout.json"));
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
