/** The routes of the service, but for /v1/run, whose bodies are streams. README.md says what each takes and answers. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { EventStream, readLastEventId } from "@genserverless/shared/service/event-stream.ts";
import type { Registry } from "prom-client";
import { readBuildLog } from "../build/build-log.ts";
import { type Builds, nameBuild } from "../build/builds.ts";
import type { Leases } from "../leases/leases.ts";
import type { FunctionLogs } from "../logs/function-logs.ts";
import type { Figures } from "../pool/figures.ts";
import type { Pools, Target } from "../pool/pools.ts";
import { Problem } from "../problems.ts";
import type { Runs } from "../runs/runs.ts";
import type { Checkouts } from "../source/checkouts.ts";
import type { Projects } from "../store/projects.ts";
import { readObject, readText, readWaitMs } from "./body.ts";
import { Router } from "./router.ts";

export interface Parts {
  projects: Projects;
  checkouts: Checkouts;
  builds: Builds;
  pools: Pools;
  runs: Runs;
  leases: Leases;
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

const RUN_ID = /^[A-Za-z0-9._~:-]{1,200}$/;
/** In place of a commit: the one that is current. */
const CURRENT = "current";

export function createRouter(parts: Parts): Router<Handler> {
  return new Router<Handler>()
    .add("GET", "/metrics", (call) => sendMetrics(parts, call))
    .add("POST", "/v1/checkouts", (call) => checkOut(parts, call))
    .add("POST", "/v1/builds", (call) => beginBuild(parts, call))
    .add("GET", "/v1/builds/{id}", (call) => showBuild(parts, call))
    .add("GET", "/v1/builds/{id}/log", (call) => streamBuildLog(parts, call))
    .add("DELETE", "/v1/builds/{project}/{commit}", (call) => deleteBuild(parts, call))
    .add("PUT", "/v1/runs/{id}", (call) => beginRun(parts, call))
    .add("GET", "/v1/runs/{id}", (call) => showRun(parts, call))
    .add("POST", "/v1/leases/{project}/{function}", (call) => lease(parts, call))
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

async function beginRun({ runs }: Parts, { req, params }: Call): Promise<Answer> {
  const id = readRunId(params["id"]);
  const body = await readObject(req);
  const [project, commit] = [readText(body, "project"), readText(body, "commit")];
  nameBuild(project, commit);
  const order = { target: { project, commit, name: readText(body, "function") }, event: body["event"] ?? null };
  return { status: 200, json: await runs.begin(id, order, readWaitMs(body["waitMs"])) };
}

async function showRun({ runs }: Parts, { req, params }: Call): Promise<Answer> {
  const given = new URLSearchParams((req.url ?? "").split("?")[1]).get("waitMs");
  const waitMs = readWaitMs(given === null ? undefined : Number(given));
  return { status: 200, json: await runs.find(readRunId(params["id"]), waitMs) };
}

function readRunId(id = ""): string {
  if (RUN_ID.test(id)) return id;
  throw new Problem("invalid_request", "the id of a run has 1 to 200 letters, digits, and . _ ~ : -");
}

/** 204 where there is no idle sandbox to give away. */
async function lease({ pools, projects, leases }: Parts, { req, res, params }: Call): Promise<Answer | undefined> {
  const { project = "", function: name = "" } = params;
  const found = await pools.find({ project, commit: projects.getCurrent(project), name }, true);
  return (await leases.grant(found, req, res)) ? undefined : { status: 204 };
}

/** Events `line`, numbered; Last-Event-ID goes on after one. `tail` is how many of the past ones come, `follow=false` ends behind them. */
async function streamLog({ logs, projects, streams }: Parts, { req, res, params }: Call): Promise<undefined> {
  const { project = "", function: name = "" } = params;
  projects.get(project);
  const after = readLastEventId(req.headers["last-event-id"]);
  const query = new URLSearchParams((req.url ?? "").split("?")[1]);
  const log = logs.get(project, name);
  const past = log.readAfter(after);
  const tail = after === undefined ? Number(query.get("tail") ?? past.length) : past.length;
  const stream = openStream(streams, res);
  for (const { id, line } of past.slice(Math.max(0, past.length - tail)))
    stream.send({ event: "line", id, data: line });
  if (query.get("follow") === "false") stream.end();
  else stream.onClose(log.listen(({ id, line }) => stream.send({ event: "line", id, data: line })));
}

function showFunctions({ figures, pools }: Parts): Answer {
  const warm = pools.all.map(({ target, pool }) => ({
    project: target.project,
    commit: target.commit,
    function: target.name,
    sandboxes: pool.sandboxes.length,
    idle: pool.idleCount,
    busy: pool.sandboxes.length - pool.idleCount,
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
  await projects.delete(project, async () => {
    await builds.deleteProject(project);
    await pools.closeBuild(project);
  });
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

/** The project's name, a whole commit or `current`, a function, and what the function sees as its path. */
export function readRunPath({ projects }: Parts, url: string): { target: Target; path: string } | undefined {
  const match = /^\/v1\/run\/([^/?]+)\/([^/?]+)\/([^/?]+)(\/[^?]*)?(\?.*)?$/s.exec(url);
  if (!match) return undefined;
  const [, project = "", given = "", name = "", rest = "/", query = ""] = match;
  const commit = given === CURRENT ? projects.getCurrent(project) : given;
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
