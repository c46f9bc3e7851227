/** Which projects there are: the repository that each belongs to, and the user id that its functions run as. */

import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Problem } from "../problems.ts";
import type { Repository } from "../source/repository.ts";
import { type DataDir, readJson } from "./data-dir.ts";
import { Turnstile } from "./turnstile.ts";

export interface Project {
  name: string;
  repository: string;
  identity: string;
  /** Of no other project. */
  uid: number;
  /** Which build its sandboxes are kept warm for. */
  current?: string;
}

export interface UidRange {
  first: number;
  count: number;
}

const WRITES_AT_ONCE = 16;

export class Projects {
  readonly #dataDir: DataDir;
  readonly #uids: UidRange;
  readonly #known = new Map<string, Project>();
  readonly #deleting = new Map<string, Promise<void>>();
  readonly #writes = new Turnstile(WRITES_AT_ONCE);

  constructor(dataDir: DataDir, uids: UidRange) {
    this.#dataDir = dataDir;
    this.#uids = uids;
  }

  async load(): Promise<void> {
    for (const name of await this.#dataDir.list(join(this.#dataDir.path, "projects"))) {
      const project = await readJson<Project>(join(this.#dataDir.project(name), "project.json"));
      if (project) this.#known.set(name, project);
    }
  }

  get all(): Project[] {
    return [...this.#known.values()].filter(({ name }) => !this.#deleting.has(name));
  }

  /** Throws `unknown_project`. */
  get(name: string): Project {
    const project = this.#deleting.has(name) ? undefined : this.#known.get(name);
    if (!project) throw new Problem("unknown_project", `there is no project ${name}`);
    return project;
  }

  /** Throws `unknown_project`, `no_current`. */
  getCurrent(name: string): string {
    const { current } = this.get(name);
    if (current === undefined) throw new Problem("no_current", `${name} has no current build yet`);
    return current;
  }

  /** The project of a repository, a new one where there is none yet, or none any more. Throws `project_conflict`. */
  async claim({ project: name, url, identity }: Repository): Promise<Project> {
    await this.#deleting.get(name)?.catch(() => {});
    const known = this.#known.get(name);
    if (known && known.identity !== identity) {
      throw new Problem("project_conflict", `${name} is the project of ${known.repository}; delete it first`);
    }
    if (known) return known;
    const project = { name, repository: url, identity, uid: this.#findUid() };
    this.#known.set(name, project);
    await this.#write(name);
    return project;
  }

  async setCurrent(name: string, commit: string): Promise<void> {
    const project = { ...this.get(name), current: commit };
    this.#known.set(name, project);
    await this.#write(name);
  }

  /**
   * Nothing of the project is found from here on, so nothing of it begins; it is gone when `end` has ended what was under
   * way, and until then nobody else has its user id. Whoever deletes it meanwhile waits with the first. Throws `unknown_project`.
   */
  async delete(name: string, end: () => Promise<void>): Promise<void> {
    const deleting = this.#deleting.get(name) ?? this.#delete(this.get(name), end);
    this.#deleting.set(name, deleting);
    await deleting;
  }

  async #delete({ name }: Project, end: () => Promise<void>): Promise<void> {
    try {
      await end();
      await this.#writes.pass(name, async () => {
        await this.#dataDir.remove(this.#dataDir.project(name));
        this.#known.delete(name);
      });
    } finally {
      this.#deleting.delete(name);
    }
  }

  /** Puts on the disk what is known then; nothing where the project was deleted meanwhile. */
  #write(name: string): Promise<void> {
    return this.#writes.pass(name, async () => {
      const project = this.#known.get(name);
      if (project) await this.#replace(project);
    });
  }

  async #replace(project: Project): Promise<void> {
    const folder = this.#dataDir.project(project.name);
    await mkdir(folder, { recursive: true, mode: 0o711 });
    const file = join(folder, "project.json");
    await writeFile(`${file}.new`, JSON.stringify(project), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  #findUid(): number {
    const taken = new Set([...this.#known.values()].map(({ uid }) => uid));
    const { first, count } = this.#uids;
    for (let uid = first; uid < first + count; uid++) if (!taken.has(uid)) return uid;
    throw new Problem("no_capacity", `there are ${count} projects, and no user id for another`);
  }
}
