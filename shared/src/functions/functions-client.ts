/**
 * Asks the functions service. What it refuses is a `FunctionsProblem` with its code; where it cannot be reached, or leaves,
 * `FunctionsAway`: the question may have arrived or not, so all that is asked here may be asked again.
 */

import type { FunctionsAccess } from "./access.ts";
import type { Manifest } from "./manifest.ts";

export interface Checkout {
  project: string;
  repository: string;
  /** The branch or tag that was asked for, or the default branch. */
  ref: string;
  commit: string;
  manifest: Manifest;
}

export interface Build {
  project: string;
  commit: string;
  status: "building" | "ready" | "failed";
  /** Of a build that failed. */
  reason?: { code: string; message: string };
  durationMs?: number;
}

/** Of a cron or event function. */
export interface Run {
  id: string;
  status: "running" | RunEnd;
  /** When its sandbox had it, in ms since the epoch. */
  startedAt?: number;
  durationMs?: number;
  coldStart?: boolean;
  /** Of a run that did not complete. */
  error?: string;
}

export type RunEnd = "completed" | "failed" | "timeout" | "died" | "not_started";

export interface RunRequest {
  project: string;
  commit: string;
  function: string;
  event?: unknown;
  /** How long to wait for its end. */
  waitMs: number;
}

/** Since the service began. */
export interface FunctionCounts {
  invocations: number;
  failures: number;
  timeouts: number;
  refused: number;
  coldStarts: number;
  lastColdStartMs?: number;
}

export interface FunctionFigures extends FunctionCounts {
  project: string;
  function: string;
  totalMs: number;
}

export interface PoolFigures {
  project: string;
  commit: string;
  function: string;
  sandboxes: number;
  idle: number;
  waiting: number;
}

export interface ServiceFigures {
  functions: FunctionFigures[];
  pools: PoolFigures[];
  sandboxes: { warm: number; busy: number };
}

export class FunctionsProblem extends Error {
  override name = "FunctionsProblem";
  readonly code: string;
  readonly status: number;
  /** Further fields of the problem document. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(status: number, document: Record<string, unknown>) {
    const { code, detail, title, type: _type, status: _status, ...members } = document;
    super(String(detail ?? title ?? `the functions service answered ${status}`));
    this.code = String(code ?? "internal_error");
    this.status = status;
    this.members = members;
  }
}

export class FunctionsAway extends Error {
  override name = "FunctionsAway";
}

export function notSetUp(): never {
  throw new FunctionsAway("this cluster runs no functions: FUNCTIONS_URL is not set here");
}

const ANSWER_MS = 20_000;
/** A repository may take its time. */
const CHECKOUT_MS = 150_000;

export class FunctionsClient {
  readonly #access: FunctionsAccess | undefined;

  /** Where it is not known, every question is FunctionsAway. */
  constructor(access: FunctionsAccess | undefined) {
    this.#access = access;
  }

  checkOut(repository: string, ref?: string): Promise<Checkout> {
    return this.#ask("POST", "/v1/checkouts", { repository, ...(ref !== undefined && { ref }) }, CHECKOUT_MS);
  }

  beginBuild(project: string, commit: string): Promise<Build> {
    return this.#ask("POST", "/v1/builds", { project, commit });
  }

  findBuild(project: string, commit: string): Promise<Build> {
    return this.#ask("GET", `/v1/builds/${project}@${commit}`);
  }

  deleteBuild(project: string, commit: string): Promise<void> {
    return this.#ask("DELETE", `/v1/builds/${project}/${commit}`);
  }

  /** From then on it is what runs. */
  setCurrent(project: string, commit: string): Promise<void> {
    return this.#ask("PUT", `/v1/projects/${project}/current`, { commit });
  }

  async listProjects(): Promise<{ name: string; current?: string }[]> {
    const { projects } = await this.#ask<{ projects: { name: string; current?: string }[] }>("GET", "/v1/projects");
    return projects;
  }

  deleteProject(project: string): Promise<void> {
    return this.#ask("DELETE", `/v1/projects/${project}`);
  }

  beginRun(id: string, request: RunRequest): Promise<Run> {
    return this.#ask("PUT", `/v1/runs/${id}`, request);
  }

  findRun(id: string, waitMs: number): Promise<Run> {
    return this.#ask("GET", `/v1/runs/${id}?waitMs=${waitMs}`);
  }

  readFigures(): Promise<ServiceFigures> {
    return this.#ask("GET", "/v1/functions");
  }

  async #ask<T>(method: string, path: string, body?: object, withinMs = ANSWER_MS): Promise<T> {
    const { url, token } = this.#access ?? notSetUp();
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body) headers["content-type"] = "application/json";
    const options = { method, headers, signal: AbortSignal.timeout(withinMs), redirect: "error" as const };
    let status: number;
    let answer: unknown;
    try {
      const response = await fetch(new URL(path, url), { ...options, ...(body && { body: JSON.stringify(body) }) });
      status = response.status;
      answer = status === 204 ? undefined : await response.json();
    } catch (error) {
      const { cause, message } = error as Error;
      throw new FunctionsAway(`the functions service cannot be reached: ${(cause as Error)?.message || message}`);
    }
    if (status < 300) return answer as T;
    const problem = new FunctionsProblem(status, answer as Record<string, unknown>);
    if (problem.code === "draining") throw new FunctionsAway("the functions service is about to leave");
    throw problem;
  }
}
