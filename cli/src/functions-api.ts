/** Projects, their deployments and their functions, as the api tells them. What is read may be asked again; what changes something is sent once. */

import type {
  DeploymentView,
  FunctionView,
  ProjectSummary,
  ProjectView,
} from "@genserverless/shared/functions/views.ts";
import { ProblemError, type ReadOptions } from "genserverless/client";
import { toProblem } from "genserverless/transport.ts";
import { type Door, readText } from "./door.ts";

export interface DeployAnswer {
  message: string;
  project?: string;
  /** `/USER-REPO/API` for each http function; none where nothing has changed. */
  functions?: string[];
}

export interface ManifestProblem {
  line: number;
  field: string;
  message: string;
}

/** What was changed: the answer, and the number of the deployment that it began. */
export interface Changed<Answer> {
  answer: Answer;
  deployment: number | undefined;
}

/** A deployment that was refused because of its manifest says all that is wrong with it. */
export class DeployRefused extends ProblemError {
  readonly problems: readonly ManifestProblem[];

  constructor(problem: ProblemError, problems: readonly ManifestProblem[]) {
    super(problem);
    this.problems = problems;
  }
}

/** A repository is fetched, and a project's process has its turn, before the answer. */
const ANSWER_MS = 360_000;

export class FunctionsApi {
  readonly #door: Door;
  readonly #limits: () => ReadOptions;

  constructor(door: Door, limits: () => ReadOptions) {
    this.#door = door;
    this.#limits = limits;
  }

  async listProjects(): Promise<ProjectSummary[]> {
    return (await this.#read<{ projects: ProjectSummary[] }>("/api/projects")).projects;
  }

  findProject(project: string): Promise<ProjectView> {
    return this.#read(pathOfProject(project));
  }

  findDeployment(project: string, number: number): Promise<DeploymentView> {
    return this.#read(pathOfDeployment(project, number));
  }

  async listFunctions(): Promise<FunctionView[]> {
    return (await this.#read<{ functions: FunctionView[] }>("/api/functions")).functions;
  }

  findFunction(project: string, name: string): Promise<FunctionView> {
    return this.#read(`${pathOfProject(project)}/functions/${encodeURIComponent(name)}`);
  }

  deploy(repository: string, ref: string | undefined): Promise<Changed<DeployAnswer>> {
    return this.#change("POST", "/api/projects", { repository, ...(ref !== undefined && { ref }) });
  }

  rollBack(project: string, to: number | undefined): Promise<Changed<DeployAnswer>> {
    return this.#change("POST", `${pathOfProject(project)}/rollback`, { ...(to !== undefined && { to }) });
  }

  async deleteProject(project: string): Promise<{ message: string }> {
    return (await this.#change<{ message: string }>("DELETE", pathOfProject(project))).answer;
  }

  async tick(project: string, name: string): Promise<{ run: string }> {
    const path = `/ticks/${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
    return (await this.#change<{ run: string }>("POST", path, {})).answer;
  }

  async #read<Answer>(path: string): Promise<Answer> {
    return (await this.#door.get(path, this.#limits())) as Answer;
  }

  async #change<Answer>(method: string, path: string, body?: object): Promise<Changed<Answer>> {
    const sent = body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await this.#door.begin({ method, path, headMs: ANSWER_MS, ...sent });
    const text = await readText(response);
    const answer = parseObject(text);
    if (response.statusCode >= 400 || !answer) throw toRefusal(toProblem(response, text, undefined), answer);
    const { location } = response.headers;
    return { answer: answer as Answer, deployment: readDeployment(location) };
  }
}

export function pathOfDeployment(project: string, number: number): string {
  return `${pathOfProject(project)}/deployments/${number}`;
}

function pathOfProject(project: string): string {
  return `/api/projects/${encodeURIComponent(project)}`;
}

function toRefusal(problem: ProblemError, answer: object | undefined): ProblemError {
  const problems: unknown = answer && "problems" in answer ? answer.problems : undefined;
  return Array.isArray(problems) ? new DeployRefused(problem, problems) : problem;
}

function readDeployment(location: string | string[] | undefined): number | undefined {
  const [, number] = /\/deployments\/(\d+)$/.exec(String(location)) ?? [];
  return number === undefined ? undefined : Number(number);
}

function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
