/** The functions of the cluster's projects, as its API tells of them: one snapshot for both skins. */

import type { FunctionView, LogLine, ProjectSummary } from "@genserverless/shared/functions/views.ts";
import type { ApiAnswer, ApiClient } from "./api-client.ts";
import { followEvents } from "./event-feed.ts";

export interface FunctionsView {
  projects: readonly ListedProject[];
  /** All there are, in all projects. */
  sandboxes: { warm: number; busy: number };
}

/** A project with the figures of its functions. */
export interface ListedProject extends ProjectSummary {
  functions: readonly FunctionView[];
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
  const known = (projects.body as { projects: ProjectSummary[] }).projects;
  const ofProject = Map.groupBy(told.functions.toSorted(compareNames), ({ project }) => project);
  const view = known.map((project) => ({ ...project, functions: ofProject.get(project.name) ?? [] }));
  return { view: { projects: view.toSorted(compareNames), sandboxes: told.sandboxes } };
}

function compareNames(a: { name: string }, b: { name: string }): number {
  return a.name.localeCompare(b.name);
}
