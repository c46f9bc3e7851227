/** The functions of the cluster's projects, as its API tells of them: one snapshot for both skins. */

import type { ApiAnswer, ApiClient } from "./api-client.ts";
import { followEvents } from "./event-feed.ts";

export interface FunctionsView {
  projects: readonly ProjectView[];
  /** All there are, in all projects. */
  sandboxes: { warm: number; busy: number };
}

export interface ProjectView {
  name: string;
  repository: string;
  status: "building" | "ready" | "failed";
  /** Number of the deployment that serves; absent before the first. */
  current?: number;
  commit?: string;
  functions: readonly FunctionView[];
}

/** Counts are since the functions service began; times of day are ISO 8601. */
export interface FunctionView {
  project: string;
  name: string;
  type: "http" | "cron" | "event";
  url?: string;
  commit: string;
  schedule?: string;
  timezone?: string;
  topic?: string;
  nextAt?: string;
  timeoutMs: number;
  memoryMb: number;
  concurrency: number;
  keepWarm: number;
  invocations: number;
  failures: number;
  timeouts: number;
  refused: number;
  coldStarts: number;
  lastColdStartMs?: number;
  meanMs?: number;
  sandboxes: { warm: number; busy: number; waiting: number };
  /** The newest first. Absent in a list, and of an http function. */
  runs?: readonly RunView[];
}

export interface RunView {
  id: string;
  dueAt: string;
  startedAt?: string;
  status: string;
  durationMs?: number;
  coldStart?: boolean;
  error?: string;
}

export interface LogLine {
  /** ms since the epoch. */
  at: number;
  commit: string;
  sandbox: number;
  /** `service` is what the functions service says of the sandbox. */
  stream: "stdout" | "stderr" | "service";
  text: string;
}

/** What was asked for, or what the API answered in its place: 503 where the cluster has no functions service. */
export type Read<View> = { view: View } | { refusal: ApiAnswer };

/** What both skins ask. Each question throws `ApiAway` where no answer came. */
export interface FunctionEyes {
  readFunctions(): Promise<Read<FunctionsView>>;
  /** One with its runs. */
  readFunction(project: string, name: string): Promise<Read<FunctionView>>;
  /** Tells each line that is kept of its log, then each new one. Returns what ends that. */
  followLog(project: string, name: string, onLine: (line: LogLine) => void): () => void;
}

export function createFunctionEyes(api: Pick<ApiClient, "request" | "open">): FunctionEyes {
  return {
    readFunctions: () => readFunctions(api),
    async readFunction(project, name) {
      const answer = await api.request("GET", `/api/projects/${project}/functions/${name}`);
      return answer.status === 200 ? { view: answer.body as FunctionView } : { refusal: answer };
    },
    followLog: (project, name, onLine) =>
      followEvents({ api, path: `/logs/${project}/${name}` }, (event, data) => {
        if (event === "line") onLine(JSON.parse(data) as LogLine);
      }),
  };
}

async function readFunctions(api: Pick<ApiClient, "request">): Promise<Read<FunctionsView>> {
  const [projects, functions] = await Promise.all([
    api.request("GET", "/api/projects"),
    api.request("GET", "/api/functions"),
  ]);
  const refusal = [projects, functions].find(({ status }) => status !== 200);
  if (refusal) return { refusal };
  const told = functions.body as { functions: FunctionView[]; sandboxes: FunctionsView["sandboxes"] };
  const known = (projects.body as { projects: Omit<ProjectView, "functions">[] }).projects;
  const ofProject = Map.groupBy(told.functions.toSorted(compareNames), ({ project }) => project);
  const view = known.map((project) => ({ ...project, functions: ofProject.get(project.name) ?? [] }));
  return { view: { projects: view.toSorted(compareNames), sandboxes: told.sandboxes } };
}

function compareNames(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name);
}
