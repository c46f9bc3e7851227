/** What the api reads of the processes of projects and functions, and of the functions service, for whoever looks. */

import type { FunctionsClient, PoolFigures, ServiceFigures } from "@genserverless/shared/functions/functions-client.ts";
import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import {
  type Deployment,
  type FunctionRun,
  type FunctionState,
  PROJECT_MODULE,
  type ProjectState,
  toFunctionPid,
  toProjectPid,
} from "@genserverless/shared/functions/processes.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { isPidPart, type Pid } from "@genserverless/shared/process/pid.ts";
import type { z } from "zod";
import type {
  DeploymentView,
  FunctionView,
  ProjectSummary,
  ProjectView,
  RunView,
} from "../routes/functions-schemas.ts";

const PAGE = 1_000;

export class ProjectsReader {
  readonly #snapshot: Snapshot;
  readonly #service: FunctionsClient;

  constructor(snapshot: Snapshot, service: FunctionsClient) {
    this.#snapshot = snapshot;
    this.#service = service;
  }

  async list(): Promise<Project[]> {
    const pids: Pid[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#snapshot.listPids({ module: PROJECT_MODULE, limit: PAGE, cursor });
      pids.push(...page.pids);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    const found = await Promise.all(pids.map((pid) => this.read(pid.slice(PROJECT_MODULE.length + 1))));
    return found.filter((project) => project !== undefined).sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Undefined where nobody has deployed it. */
  async read(name: string): Promise<Project | undefined> {
    if (!isPidPart(name)) return undefined;
    const process = await this.#snapshot.readProcess(toProjectPid(name), true);
    const state = process?.state as ProjectState | null | undefined;
    return state && state.deployments.length > 0 ? new Project(name, state) : undefined;
  }

  /** Every function that is deployed, or those of one project, with the figures of the service. */
  async listFunctions(projects: readonly Project[]): Promise<z.infer<typeof FunctionView>[]> {
    const figures = await this.#service.readFigures();
    const found = projects.flatMap((project) => project.functions.map((spec) => this.#view(project, spec, figures)));
    return Promise.all(found);
  }

  async readFunction(project: Project, spec: FunctionSpec): Promise<z.infer<typeof FunctionView>> {
    const figures = await this.#service.readFigures();
    return { ...(await this.#view(project, spec, figures)), ...(await this.#readRuns(project.name, spec.name)) };
  }

  readTotals(): Promise<ServiceFigures> {
    return this.#service.readFigures();
  }

  async #view(project: Project, spec: FunctionSpec, all: ServiceFigures): Promise<z.infer<typeof FunctionView>> {
    const isMine = (each: { project: string; function: string }) =>
      each.project === project.name && each.function === spec.name;
    const { totalMs = 0, ...counted } = all.functions.find(isMine) ?? NO_FIGURES;
    const { project: _project, function: _function, ...figures } = { project: "", function: "", ...counted };
    const ran = figures.invocations;
    const nextAt = spec.type === "cron" ? (await this.#readState(project.name, spec.name))?.nextAt : undefined;
    const { name, type, timeoutMs, memoryMb, concurrency, keepWarm } = spec;
    return {
      project: project.name,
      name,
      type,
      ...describeTrigger(project.name, spec),
      commit: project.current?.commit ?? "",
      ...(nextAt !== undefined && { nextAt: toIso(nextAt) }),
      timeoutMs,
      memoryMb,
      concurrency,
      keepWarm,
      ...figures,
      ...(ran > 0 && { meanMs: Math.round((totalMs / ran) * 10) / 10 }),
      sandboxes: sum(all.pools.filter(isMine)),
    };
  }

  async #readRuns(project: string, name: string) {
    const state = await this.#readState(project, name);
    if (!state) return {};
    const runs = [...state.active.toReversed(), ...state.ended].map(viewRun);
    return { runs, counts: state.counts };
  }

  async #readState(project: string, name: string): Promise<FunctionState | undefined> {
    const process = await this.#snapshot.readProcess(toFunctionPid(project, name), true);
    return (process?.state as FunctionState | null) ?? undefined;
  }
}

const NO_FIGURES = { invocations: 0, failures: 0, timeouts: 0, refused: 0, coldStarts: 0, totalMs: 0 };

export class Project {
  readonly name: string;
  readonly #state: ProjectState;

  constructor(name: string, state: ProjectState) {
    this.name = name;
    this.#state = state;
  }

  get repository(): string {
    return this.#state.repository;
  }

  /** As it was asked for; undefined for the default branch. */
  get ref(): string | undefined {
    return this.#state.ref;
  }

  /** The deployment that serves. */
  get current(): Deployment | undefined {
    return this.#find(this.#state.current);
  }

  get isBuilding(): boolean {
    return this.#state.deployments.some(({ status }) => status === "building");
  }

  /** Those that serve. */
  get functions(): FunctionSpec[] {
    return this.current?.manifest.functions ?? [];
  }

  findFunction(name: string): FunctionSpec | undefined {
    return this.functions.find((each) => each.name === name);
  }

  findDeployment(number: number): z.infer<typeof DeploymentView> | undefined {
    const found = this.#find(number);
    return found && this.#viewDeployment(found);
  }

  get summary(): z.infer<typeof ProjectSummary> {
    const { name, repository, ref, current } = this;
    const newest = this.#state.deployments.at(-1);
    return {
      name,
      repository,
      ...(ref !== undefined && { ref }),
      status: newest?.status === "building" ? "building" : current ? "ready" : "failed",
      ...(current && { current: current.number, commit: current.commit }),
      functions: this.functions.map((spec) => ({
        name: spec.name,
        type: spec.type,
        ...describeTrigger(name, spec),
      })),
    };
  }

  get view(): z.infer<typeof ProjectView> {
    return {
      ...this.summary,
      deployments: this.#state.deployments.map((each) => this.#viewDeployment(each)).toReversed(),
    };
  }

  #find(number: number | undefined): Deployment | undefined {
    return this.#state.deployments.find((each) => each.number === number);
  }

  #viewDeployment(stored: Deployment): z.infer<typeof DeploymentView> {
    const { number, commit, ref, status, at, durationMs, reason, rollbackOf } = stored;
    return {
      number,
      commit,
      ref,
      status,
      isCurrent: number === this.#state.current,
      at,
      ...(durationMs !== undefined && { durationMs }),
      ...(reason && { reason }),
      ...(rollbackOf !== undefined && { rollbackOf }),
    };
  }
}

/** What has the function run. */
function describeTrigger(project: string, { name, type, schedule, timezone, topic }: FunctionSpec) {
  return {
    ...(type === "http" && { url: `/invoke/${project}/${name}` }),
    ...(schedule !== undefined && { schedule }),
    ...(timezone !== undefined && { timezone }),
    ...(topic !== undefined && { topic }),
  };
}

function sum(pools: readonly PoolFigures[]) {
  const total = { warm: 0, busy: 0, waiting: 0 };
  for (const { sandboxes, idle, waiting } of pools) {
    total.warm += idle;
    total.busy += sandboxes - idle;
    total.waiting += waiting;
  }
  return total;
}

function viewRun({ id, status, dueAt, startedAt, durationMs, coldStart, error }: FunctionRun): z.infer<typeof RunView> {
  return {
    id,
    status,
    dueAt: toIso(dueAt),
    ...(startedAt !== undefined && { startedAt: toIso(startedAt) }),
    ...(durationMs !== undefined && { durationMs }),
    ...(coldStart !== undefined && { coldStart }),
    ...(error !== undefined && { error }),
  };
}

function toIso(ms: number): string {
  return new Date(ms).toISOString();
}
