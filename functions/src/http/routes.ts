/** The routes of the service, but for /v1/run, whose bodies are streams. README.md says what each takes and answers. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { EventStream, readLastEventId } from "@genserverless/shared/service/event-stream.ts";
import type { Registry } from "prom-client";
import { readBuildLog } from "../build/build-log.ts";
import { type Builds, nameBuild } from "../build/builds.ts";
import type { FunctionLogs } from "../logs/function-logs.ts";
import type { Figures } from "../pool/figures.ts";
import type { Pools, Target } from "../pool/pools.ts";
import { Problem } from "../problems.ts";
import type { Checkouts } from "../source/checkouts.ts";
import type { Projects } from "../store/projects.ts";
import { readObject, readText } from "./body.ts";
import { Router } from "./router.ts";
import { runJob } from "./run-job.ts";

export interface Parts {
  projects: Projects;
  checkouts: Checkouts;
  builds: Builds;
  pools: Pools;
  logs: FunctionLogs;
  figures: Figures;
  registry: Registry;
  /** Streams that end when the service leaves. */
  streams: Set<EventStream>;
}

export interface Call {
  req: IncomingMessage;
  res: ServerResponse;
  params: Record<string, string>;
}

export interface Answer {
  status: number;
  json?: unknown;
}

/** Undefined where the handler answers by itself. */
export type Handler = (call: Call) => Promise<Answer | undefined>;

export function createRouter(parts: Parts): Router<Handler> {
  return new Router<Handler>()
    .add("GET", "/metrics", (call) => sendMetrics(parts, call))
    .add("POST", "/v1/checkouts", (call) => checkOut(parts, call))
    .add("POST", "/v1/builds", (call) => beginBuild(parts, call))
    .add("GET", "/v1/builds/{id}", (call) => showBuild(parts, call))
    .add("GET", "/v1/builds/{id}/log", (call) => streamBuildLog(parts, call))
    .add("DELETE", "/v1/builds/{project}/{commit}", (call) => deleteBuild(parts, call))
    .add("POST", "/v1/jobs/{project}/{commit}/{function}", (call) => beginJob(parts, call))
    .add("GET", "/v1/logs/{project}/{function}", (call) => streamLog(parts, call))
    .add("GET", "/v1/functions", async () => showFunctions(parts))
    .add("GET", "/v1/projects", async () => ({ status: 200, json: { projects: parts.projects.all } }))
    .add("PUT", "/v1/projects/{project}/current", (call) => setCurrent(parts, call))
    .add("DELETE", "/v1/projects/{project}", (call) => deleteProject(parts, call));
}

async function sendMetrics({ registry }: Parts, { res }: Call): Promise<undefined> {
  res.writeHead(200, { "content-type": registry.contentType }).end(await registry.metrics());
}

async function checkOut({ checkouts }: Parts, { req }: Call): Promise<Answer> {
  const body = await readObject(req);
  const ref = body["ref"] === undefined ? undefined : readText(body, "ref");
  return { status: 200, json: await checkouts.checkOut(body["repository"], ref) };
}

/** 202 while it is being built. */
async function beginBuild({ builds }: Parts, { req }: Call): Promise<Answer> {
  const body = await readObject(req);
  const build = await builds.begin(readText(body, "project"), readText(body, "commit"));
  return { status: build.status === "building" ? 202 : 200, json: build };
}

async function showBuild({ builds }: Parts, { params }: Call): Promise<Answer> {
  return { status: 200, json: await builds.find(params["id"] ?? "") };
}

/** Events `line`, whose ids are their numbers, and at the end `end` with the build. */
async function streamBuildLog({ builds, streams }: Parts, { req, res, params }: Call): Promise<undefined> {
  const id = params["id"] ?? "";
  const build = await builds.find(id);
  const after = Number(readLastEventId(req.headers["last-event-id"])?.split("-")[1] ?? 0);
  const log = builds.findLog(id);
  const past = log ? log.lines.slice(after) : (await readBuildLog(builds.logFile(build))).slice(after);
  const stream = openStream(streams, res);
  const send = (text: string, number: number) => stream.send({ event: "line", id: `0-${number}`, data: { text } });
  for (const [index, text] of past.entries()) send(text, after + index + 1);
  const end = () => {
    stream.send({ event: "end", data: build });
    stream.end();
  };
  if (!log) end();
  else stream.onClose(log.listen((line) => (line ? send(line.text, line.number) : end())));
}

async function deleteBuild({ builds, pools }: Parts, { params }: Call): Promise<Answer> {
  const { project = "", commit = "" } = params;
  nameBuild(project, commit);
  await builds.delete(project, commit);
  await pools.closeBuild(project, commit);
  return { status: 204 };
}

async function beginJob({ pools, figures }: Parts, { req, params }: Call): Promise<Answer> {
  const { project = "", commit = "", function: name = "" } = params;
  nameBuild(project, commit);
  const { event } = await readObject(req);
  const found = await pools.find({ project, commit, name }, false);
  return { status: 200, json: await runJob(found, figures, event ?? null) };
}

/** Events `line`, numbered; Last-Event-ID goes on after one. */
async function streamLog({ logs, projects, streams }: Parts, { req, res, params }: Call): Promise<undefined> {
  const { project = "", function: name = "" } = params;
  projects.get(project);
  const after = readLastEventId(req.headers["last-event-id"]);
  const log = logs.get(project, name);
  const stream = openStream(streams, res);
  for (const { id, line } of log.readAfter(after)) stream.send({ event: "line", id, data: line });
  stream.onClose(log.listen(({ id, line }) => stream.send({ event: "line", id, data: line })));
}

function showFunctions({ figures, pools }: Parts): Answer {
  const warm = pools.all.map(({ target, pool }) => ({
    project: target.project,
    commit: target.commit,
    function: target.name,
    sandboxes: pool.sandboxes.length,
    idle: pool.idleCount,
    waiting: pool.waitingCount,
  }));
  return { status: 200, json: { functions: figures.all, pools: warm, sandboxes: pools.count() } };
}

async function setCurrent({ pools, projects }: Parts, { req, params }: Call): Promise<Answer> {
  const { project = "" } = params;
  const commit = readText(await readObject(req), "commit");
  nameBuild(project, commit);
  projects.get(project);
  await pools.warm(project, commit);
  return { status: 200, json: { project, commit } };
}

async function deleteProject({ projects, builds, pools, logs, figures }: Parts, { params }: Call): Promise<Answer> {
  const { project = "" } = params;
  projects.get(project);
  await builds.deleteProject(project);
  await pools.closeBuild(project);
  await projects.delete(project);
  logs.deleteProject(project);
  figures.deleteProject(project);
  return { status: 204 };
}

function openStream(streams: Set<EventStream>, res: ServerResponse): EventStream {
  const stream = new EventStream(res);
  streams.add(stream);
  stream.onClose(() => streams.delete(stream));
  return stream;
}

/** The project's name, a whole commit, a function, and what the function sees as its path. */
export function readRunPath(url: string): { target: Target; path: string } | undefined {
  const match = /^\/v1\/run\/([^/?]+)\/([^/?]+)\/([^/?]+)(\/[^?]*)?(\?.*)?$/s.exec(url);
  if (!match) return undefined;
  const [, project = "", commit = "", name = "", rest = "/", query = ""] = match;
  nameBuild(project, commit);
  return { target: { project, commit, name: decodeName(name) }, path: rest + query };
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    throw new Problem("unknown_function", "the function's name is not well encoded");
  }
}
