/** Invokes a function: straight in a sandbox that this node has for itself, or through the functions service. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { FunctionsAway } from "@genserverless/shared/functions/functions-client.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { readBytes } from "../request/json-body.ts";
import type { Answer } from "../respond.ts";
import { askDirectly, type DirectProblem, isDirectable } from "./direct.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { ProjectsReader } from "./projects.ts";
import { hasBody, passedHeaders, type Relay } from "./relay.ts";
import { NO_FUNCTION, NO_PROJECT, unavailable } from "./seed-answers.ts";

export interface InvokeParts {
  projects: ProjectsReader;
  relay: Relay;
  leases: Leases;
  /** Whether a request carries the api's own token, which is no function's business. */
  carriesToken(req: IncomingMessage): boolean;
}

export interface Invocation {
  project: string;
  name: string;
  /** What follows the function's name: a path, a query, or nothing. */
  rest: string;
}

interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
}

/** What of a request goes on. */
interface Sending<Body> extends Exchange {
  headers: string[];
  body: Body;
}

/** A path, or a whole URL as a proxy is sent it; what follows the function's name is the function's. */
const INVOKED = /^(?:https?:\/\/[^/?]*)?\/invoke\/([^/?]+)\/([^/?]+)(.*)$/is;
const NOT_THERE = new Set(["unknown_project", "unknown_build", "no_current", "unknown_function"]);
const TITLES: Record<DirectProblem["code"], [status: number, title: string]> = {
  function_threw: [500, "The function threw"],
  function_died: [502, "The function's sandbox ended before it had answered"],
  bad_answer: [502, "What the function answered is not HTTP"],
  function_timeout: [504, "The function did not answer in time"],
};

/** Undefined where a URL is not one of a function. */
export function readInvocation(url: string): Invocation | undefined {
  const [, project = "", name = "", rest = ""] = INVOKED.exec(url) ?? [];
  if (project === "") return undefined;
  try {
    return { project: decodeURIComponent(project), name: decodeURIComponent(name), rest };
  } catch {
    return undefined;
  }
}

export async function invoke(parts: InvokeParts, invocation: Invocation, exchange: Exchange): Promise<Answer> {
  const { project, name } = invocation;
  const { req } = exchange;
  if (/websocket/i.test(req.headers.upgrade ?? "")) {
    throw new ClusterError("upgrade_unsupported", "functions answer requests; they take no WebSocket");
  }
  const headers = passedHeaders(req, parts.carriesToken(req));
  const body = hasBody(req) ? req : null;
  if (!parts.leases.has(project, name) || !isDirectable(req)) {
    return relay(parts, invocation, { ...exchange, headers, body });
  }
  const whole = body && (await readBytes(body));
  const lease = parts.leases.take(project, name);
  const answer = lease && (await goDirectly(parts, invocation, { ...exchange, headers, body: whole }, lease));
  return answer ?? relay(parts, invocation, { ...exchange, headers, body: whole });
}

/** Undefined where the sandbox was not reached. */
async function goDirectly(
  { leases, relay }: InvokeParts,
  { project, name, rest }: Invocation,
  { req, res, headers, body }: Sending<Buffer | null>,
  lease: Lease,
): Promise<Answer | undefined> {
  const path = rest.startsWith("/") ? rest : `/${rest}`;
  const ours = ["x-function-cold-start", "0", "x-function-timeout-ms", String(lease.timeoutMs)];
  const more = [...ours, ...relay.ownHeaders()];
  const end = await askDirectly(lease, res, { name, path, method: req.method ?? "GET", headers, body, more });
  leases.giveBack(project, name, lease);
  if (end === "unreached") {
    leases.giveUp(project, name);
    return undefined;
  }
  return "problem" in end ? describeProblem(end.problem) : { status: end.status, isSent: true };
}

/** As the functions service answers with it. */
function describeProblem({ code, detail, members }: DirectProblem): Answer {
  const [status, title] = TITLES[code];
  const document = { type: `urn:genserverless:problem:${code}`, title, status, detail, code, ...members };
  const text = { type: "application/problem+json", body: JSON.stringify(document) };
  return { status, text, headers: { "x-function-problem": code } };
}

async function relay(
  { relay, leases, projects }: InvokeParts,
  { project, name, rest }: Invocation,
  { req, res, headers, body }: Sending<IncomingMessage | Buffer | null>,
): Promise<Answer> {
  const path = `/v1/run/${encodeURIComponent(project)}/current/${encodeURIComponent(name)}${rest}`;
  const isReplaced = (code: string) => NOT_THERE.has(code);
  try {
    const end = await relay.pass(res, { path, method: req.method ?? "GET", headers, body, isReplaced });
    if (end.problem === undefined) {
      leases.noteRelayed(project, name);
      return { status: end.status, isSent: true };
    }
    return end.problem === "unknown_function" ? NO_FUNCTION : await explainMissing(projects, project);
  } catch (error) {
    throw error instanceof FunctionsAway ? unavailable(error) : error;
  }
}

async function explainMissing(projects: ProjectsReader, name: string): Promise<Answer> {
  const project = await projects.read(name);
  if (!project) return NO_PROJECT;
  if (project.isBuilding || project.current) {
    return { status: 503, json: { message: "project is being built" }, headers: { "retry-after": "1" } };
  }
  return { status: 503, json: { message: "project has no deployment whose build succeeded" } };
}
