/**
 * What a tab may complete: modules, pids, projects and their functions, asked of the cluster within a second; nothing where it does not answer. An answer
 * is fresh for two seconds, since a prompt asks at every key.
 */

import type { ProjectSummary } from "@genserverless/shared/functions/views.ts";
import type { ListOptions, ReadOptions } from "genserverless/client";

const WITHIN_MS = 1_000;
const MOST_PIDS = 1_000;
const FRESH_MS = 2_000;

/** A client, as far as it is asked here. */
interface Asked {
  list(options: ListOptions): Promise<{ processes: { pid: string }[] }>;
  modules(options: ReadOptions): Promise<{ name: string }[]>;
}

/** The same of the way to what is deployed. */
interface AskedDoor {
  get(path: string, limits: ReadOptions): Promise<unknown>;
}

interface Deployed {
  projects: Pick<ProjectSummary, "name" | "functions">[];
}

export class CandidateSource {
  readonly #client: Asked;
  readonly #door: AskedDoor;
  /** Pids by module, the modules themselves under the empty name; what is deployed under names that no module has. */
  readonly #answers = new Map<string, { names: Promise<string[]>; untilMs: number }>();

  constructor(client: Asked, door: AskedDoor) {
    this.#client = client;
    this.#door = door;
  }

  modules(prefix: string): Promise<string[]> {
    return this.#ask("", prefix, async (signal) => (await this.#client.modules({ signal })).map(({ name }) => name));
  }

  /** Before the slash modules with one, behind it pids of the module, of the first thousand that the cluster lists. */
  async pids(prefix: string): Promise<string[]> {
    const [module = "", key] = prefix.split("/");
    if (key !== undefined) return this.#listPids(module, prefix);
    const modules = await this.modules(prefix);
    const [only] = modules;
    return modules.length === 1 && only === module ? this.#listPids(module, prefix) : modules.map((name) => `${name}/`);
  }

  projects(prefix: string): Promise<string[]> {
    return this.#ask("projects ", prefix, async (signal) => (await this.#listProjects(signal)).map(({ name }) => name));
  }

  functions(project: string, prefix: string): Promise<string[]> {
    return this.#ask(`functions ${project}`, prefix, async (signal) => {
      const found = (await this.#listProjects(signal)).find(({ name }) => name === project);
      return found?.functions.map(({ name }) => name) ?? [];
    });
  }

  /** `project/function`: before the slash projects with one, behind it functions of the project. */
  async functionNames(prefix: string): Promise<string[]> {
    const [project = "", name] = prefix.split("/");
    if (name === undefined) return (await this.projects(prefix)).map((each) => `${each}/`);
    return (await this.functions(project, name)).map((each) => `${project}/${each}`);
  }

  async #listProjects(signal: AbortSignal): Promise<Deployed["projects"]> {
    return ((await this.#door.get("/api/projects", { signal })) as Deployed).projects;
  }

  #listPids(module: string, prefix: string): Promise<string[]> {
    return this.#ask(module, prefix, async (signal) => {
      const { processes } = await this.#client.list({ module, limit: MOST_PIDS, signal });
      return processes.map(({ pid }) => pid);
    });
  }

  async #ask(about: string, prefix: string, read: (signal: AbortSignal) => Promise<string[]>): Promise<string[]> {
    let answer = this.#answers.get(about);
    if (!answer || performance.now() >= answer.untilMs) {
      const names = read(AbortSignal.timeout(WITHIN_MS)).catch(() => []);
      answer = { names, untilMs: performance.now() + FRESH_MS };
      this.#answers.set(about, answer);
    }
    return (await answer.names).filter((name) => name.startsWith(prefix)).toSorted();
  }
}
