/**
 * Projects: git repositories whose functions run here. Each is a process of the module `functions.project`, which is called
 * where something is to change; what it keeps is read without a turn. The functions service fetches a repository before its project is
 * asked, so that what is wrong with it is the answer.
 */

import { isUtf8 } from "node:buffer";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Checkout, FunctionsClient } from "@genserverless/shared/functions/functions-client.ts";
import { toProjectPid } from "@genserverless/shared/functions/processes.ts";
import { z } from "zod";
import type { Project, ProjectsReader } from "../functions/projects.ts";
import { conflict, explainRefusal, NO_PROJECT, UNPARSED, unavailable } from "../functions/seed-answers.ts";
import type { Answer } from "../respond.ts";
import {
  Deployed,
  DeploymentView,
  DeployRefused,
  DeployRequest,
  ProjectDeleted,
  Projects,
  ProjectView,
  Refused,
  RollbackRequest,
  RolledBack,
} from "./functions-schemas.ts";
import { REFUSED_POST } from "./messaging.ts";
import { defineRoute, type Route } from "./route.ts";

export interface ProjectsParts {
  messenger: Messenger;
  client: FunctionsClient;
  projects: ProjectsReader;
}

type Wanted = { repository: string; ref?: string };

const PATH = "/api/projects";
const ONE = `${PATH}/:project`;
/** A turn of a project's process may wait for a repository. */
const CALL_TIMEOUT_MS = 200_000;
const UNAVAILABLE = ["functions_unavailable"] as const;
const CALLED = [...REFUSED_POST, ...UNAVAILABLE, "call_timeout", "no_workers", "unknown_module"] as const;
const MISSING = { description: "There is no such project", schema: Refused };

export function projectRoutes(parts: ProjectsParts): Route[] {
  return [deployRoute(parts), ...readRoutes(parts), rollbackRoute(parts), deleteRoute(parts)];
}

function deployRoute(parts: ProjectsParts): Route {
  return defineRoute<Wanted | undefined, unknown>({
    method: "post",
    path: PATH,
    name: "deployProject",
    summary: "Deploy a repository's functions: what is new is built after the answer, and serves once it is ready",
    body: DeployRequest as z.ZodType<Wanted | undefined>,
    readBody: readWanted,
    answers: {
      200: {
        description: "Created, updated, or not changed since the last deployment",
        schema: Deployed,
        headers: { Location: "The new deployment" },
      },
      400: { description: "The body or the repository is not as it should be", schema: DeployRefused },
      409: { description: "The project's name belongs to another repository", schema: DeployRefused },
      500: { description: "The repository or its manifest cannot be used", schema: DeployRefused },
    },
    problems: CALLED,
    handle: ({ body }) => (body ? deploy(parts, body) : UNPARSED),
  });
}

/** A JSON object of texts; undefined for anything else. */
function readWanted(bytes: Buffer): Wanted | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const { repository = "", ref } = z.record(z.string(), z.string()).parse(JSON.parse(bytes.toString()));
    return { repository, ...(ref !== undefined && { ref }) };
  } catch {
    return undefined;
  }
}

async function deploy({ messenger, client }: ProjectsParts, { repository, ref }: Wanted): Promise<Answer> {
  let checkout: Checkout;
  try {
    checkout = await client.checkOut(repository, ref);
  } catch (error) {
    return explainRefusal(error);
  }
  const { project, ...source } = checkout;
  const message = { deploy: { ...source, ...(ref !== undefined && { asked: ref }) } };
  const { reply } = await messenger.call(toProjectPid(project), message, { timeoutMs: CALL_TIMEOUT_MS });
  const { outcome, number } = reply as { outcome: "created" | "updated" | "unchanged"; number?: number };
  if (outcome === "unchanged") {
    return { status: 200, json: { message: "repository has not changed since last deployment" } };
  }
  const http = checkout.manifest.functions.filter(({ type }) => type === "http");
  const functions = http.map(({ name }) => `/${project}/${name}`);
  return {
    status: 200,
    json: { message: `Yeah! project ${outcome}.`, repository: checkout.repository, project, functions },
    headers: { location: `${PATH}/${project}/deployments/${number}` },
  };
}

function readRoutes({ projects }: ProjectsParts): Route[] {
  return [
    defineRoute({
      method: "get",
      path: PATH,
      name: "listProjects",
      summary: "List the projects",
      answers: { 200: { description: "All of them", schema: Projects } },
      problems: [],
      handle: async () => ({ status: 200, json: { projects: (await projects.list()).map(({ summary }) => summary) } }),
    }),
    defineRoute({
      method: "get",
      path: ONE,
      name: "readProject",
      summary: "Read a project with its deployments, newest first",
      answers: { 200: { description: "The project", schema: ProjectView }, 404: MISSING },
      problems: [],
      handle: async ({ params }) => withProject(projects, params, ({ view }) => ({ status: 200, json: view })),
    }),
    defineRoute({
      method: "get",
      path: `${ONE}/deployments/:number`,
      name: "readDeployment",
      summary: "Read a deployment: how far its build is, or how it ended",
      answers: { 200: { description: "The deployment", schema: DeploymentView }, 404: MISSING },
      problems: [],
      handle: async ({ params }) =>
        withProject(projects, params, (project) => {
          const found = project.findDeployment(Number(params["number"]));
          return found ? { status: 200, json: found } : { status: 404, json: { message: "deployment not found!" } };
        }),
    }),
  ];
}

function rollbackRoute({ messenger, projects }: ProjectsParts): Route {
  return defineRoute({
    method: "post",
    path: `${ONE}/rollback`,
    name: "rollbackProject",
    summary: "Serve an earlier deployment again",
    body: RollbackRequest,
    isBodyOptional: true,
    answers: {
      200: { description: "It is a new deployment", schema: RolledBack, headers: { Location: "The new deployment" } },
      404: MISSING,
      409: { description: "There is nothing to go back to", schema: Refused },
    },
    problems: CALLED,
    handle: async ({ params, body, idempotency }) =>
      withProject(projects, params, async ({ name: project }) => {
        const sending = { timeoutMs: CALL_TIMEOUT_MS, ...idempotency };
        const { reply } = await messenger.call(toProjectPid(project), { rollback: body }, sending);
        const { refused, number, commit } = reply as { refused?: string; number: number; commit: string };
        if (refused !== undefined) return conflict(refused);
        return {
          status: 200,
          json: { message: "Yeah! project rolled back.", project, deployment: number, commit },
          headers: { location: `${PATH}/${project}/deployments/${number}` },
        };
      }),
  });
}

function deleteRoute({ messenger, projects }: ProjectsParts): Route {
  return defineRoute({
    method: "delete",
    path: ONE,
    name: "deleteProject",
    summary: "Stop a project's functions and forget it",
    answers: { 200: { description: "It is gone", schema: ProjectDeleted }, 404: MISSING },
    problems: CALLED,
    handle: async ({ params }) =>
      withProject(projects, params, async ({ name }) => {
        const { reply } = await messenger.call(toProjectPid(name), "delete", { timeoutMs: CALL_TIMEOUT_MS });
        const { unavailable: words } = reply as { unavailable?: string };
        if (words !== undefined) throw unavailable(new Error(words));
        return { status: 200, json: { message: "project deleted." } };
      }),
  });
}

export async function withProject(
  projects: ProjectsReader,
  params: Readonly<Record<string, string>>,
  answer: (project: Project) => Promise<Answer> | Answer,
): Promise<Answer> {
  const project = await projects.read(params["project"] ?? "");
  return project ? answer(project) : NO_PROJECT;
}
