/** Functions: their figures and runs, their logs, a run out of turn, and their invocation, which goes through as it is. */

import { setTimeout as delay } from "node:timers/promises";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { FunctionsAway } from "@genserverless/shared/functions/functions-client.ts";
import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { toFunctionPid } from "@genserverless/shared/functions/processes.ts";
import { type InvokeParts, invoke, readInvocation } from "../functions/invoke.ts";
import type { Project, ProjectsReader } from "../functions/projects.ts";
import type { Relay } from "../functions/relay.ts";
import { NO_FUNCTION, NO_PROJECT, unavailable } from "../functions/seed-answers.ts";
import type { Input } from "../request/input.ts";
import type { Answer } from "../respond.ts";
import { Functions, FunctionView, Refused, TickAccepted } from "./functions-schemas.ts";
import { REFUSED_POST } from "./messaging.ts";
import { withProject } from "./projects.ts";
import { defineRoute, type Route } from "./route.ts";

export interface FunctionsParts extends InvokeParts {
  messenger: Messenger;
  /** Whether functions may be invoked without the api's token. */
  isOpen: boolean;
}

const CALL_TIMEOUT_MS = 60_000;
const MISSING = { description: "There is no such project or function", schema: Refused };
/** A build begins a moment after its deployment. */
const BEGINS_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 50;

export function functionRoutes(parts: FunctionsParts): Route[] {
  const paths = ["", "/", "/*rest"].map((rest) => `/invoke/:project/:function${rest}`);
  return [
    ...paths.map((path) => invokeRoute(path, parts)),
    ...readRoutes(parts),
    tickRoute(parts),
    ...logRoutes(parts),
  ];
}

function readRoutes({ projects }: FunctionsParts): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/api/functions",
      name: "listFunctions",
      summary: "List the functions that are deployed, with their figures",
      answers: { 200: { description: "All of them", schema: Functions } },
      problems: ["functions_unavailable"],
      async handle() {
        const { sandboxes } = await orUnavailable(projects.readTotals());
        const functions = await orUnavailable(projects.listFunctions(await projects.list()));
        return { status: 200, json: { functions, sandboxes } };
      },
    }),
    defineRoute({
      method: "get",
      path: "/api/projects/:project/functions/:function",
      name: "readFunction",
      summary: "Read a function with its figures and its last runs",
      answers: { 200: { description: "The function", schema: FunctionView }, 404: MISSING },
      problems: ["functions_unavailable"],
      handle: ({ params }) =>
        withFunction(projects, params, async (project, spec) => ({
          status: 200,
          json: await orUnavailable(projects.readFunction(project, spec)),
        })),
    }),
  ];
}

function tickRoute({ messenger, projects }: FunctionsParts): Route {
  return defineRoute({
    method: "post",
    path: "/ticks/:project/:function",
    name: "tickFunction",
    summary: "Run a cron function now, besides its schedule",
    answers: { 202: { description: "It is due", schema: TickAccepted }, 404: MISSING },
    problems: [...REFUSED_POST, "call_timeout", "no_workers", "unknown_module"],
    handle: ({ params, idempotency }) =>
      withFunction(projects, params, async (project, spec) => {
        if (spec.type !== "cron") return NO_FUNCTION;
        const sending = { timeoutMs: CALL_TIMEOUT_MS, ...idempotency };
        const { reply } = await messenger.call(toFunctionPid(project.name, spec.name), "tick", sending);
        const { run } = reply as { run?: string };
        return run === undefined ? NO_FUNCTION : { status: 202, json: { run } };
      }),
  });
}

function invokeRoute(path: string, parts: FunctionsParts): Route {
  return defineRoute({
    method: "all",
    path,
    name: "invokeFunction",
    summary: "",
    ...(parts.isOpen && { isPublic: true }),
    isRelayed: true,
    answers: {},
    problems: [],
    handle({ params, exchange: { req, res } }) {
      const { project = "", function: name = "" } = params;
      const { rest = "" } = readInvocation(req.url ?? "") ?? {};
      return invoke(parts, { project, name, rest }, { req, res });
    },
  });
}

function logRoutes({ projects, relay }: FunctionsParts): Route[] {
  const events = { 200: { description: "An event `line` for each line", text: "text/event-stream" }, 404: MISSING };
  const open = async ({ exchange: { req, res } }: Input, path: string, isReplaced: (code: string) => boolean) => {
    const after = req.headers["last-event-id"];
    const headers = typeof after === "string" ? ["last-event-id", after] : [];
    return orUnavailable(relay.pass(res, { path, method: "GET", headers, body: null, goesOn: true, isReplaced }));
  };
  return [
    defineRoute({
      method: "get",
      path: "/logs/:project/:function",
      name: "readFunctionLog",
      summary: "Follow what a function prints, as server-sent events that resume after Last-Event-ID",
      isRelayed: true,
      answers: events,
      problems: ["functions_unavailable"],
      handle: (input) =>
        withFunction(projects, input.params, async (project, { name }) => {
          const path = `/v1/logs/${project.name}/${name}${queryOf(input)}`;
          const end = await open(input, path, (code) => code === "unknown_project");
          return end.problem === undefined ? { status: end.status, isSent: true } : NO_PROJECT;
        }),
    }),
    defineRoute({
      method: "get",
      path: "/api/projects/:project/deployments/:number/log",
      name: "readBuildLog",
      summary: "Follow the build of a deployment: an event `line` for each line, and `end` with what became of it",
      isRelayed: true,
      answers: events,
      problems: ["functions_unavailable"],
      handle: (input) =>
        followBuild(projects, input, (path) => open(input, path, (code) => code.startsWith("unknown_"))),
    }),
  ];
}

/** `tail` and `follow`, for the functions service to read. */
function queryOf({ exchange: { req } }: Input): string {
  const [, query] = (req.url ?? "").split("?");
  return query ? `?${query}` : "";
}

async function followBuild(
  projects: ProjectsReader,
  { params, isGone }: Input,
  open: (path: string) => ReturnType<Relay["pass"]>,
): Promise<Answer> {
  const missing = { status: 404, json: { message: "deployment not found!" } };
  const endsAt = performance.now() + BEGINS_WITHIN_MS;
  for (;;) {
    const project = await projects.read(params["project"] ?? "");
    if (!project) return NO_PROJECT;
    const deployment = project.findDeployment(Number(params["number"]));
    if (!deployment) return missing;
    const end = await open(`/v1/builds/${project.name}@${deployment.commit}/log`);
    if (end.problem === undefined) return { status: end.status, isSent: true };
    if (deployment.status !== "building" || performance.now() > endsAt || isGone()) return missing;
    await delay(LOOK_EVERY_MS);
  }
}

async function withFunction(
  projects: ProjectsReader,
  params: Readonly<Record<string, string>>,
  answer: (project: Project, spec: FunctionSpec) => Promise<Answer>,
): Promise<Answer> {
  return withProject(projects, params, (project) => {
    const spec = project.findFunction(params["function"] ?? "");
    return spec ? answer(project, spec) : NO_FUNCTION;
  });
}

async function orUnavailable<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw error instanceof FunctionsAway ? unavailable(error) : error;
  }
}
