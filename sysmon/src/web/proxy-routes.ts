/**
 * The cluster's own API, as far as the console shows and steers with it. Only the paths listed here are passed on, with
 * sysmon's own API_TOKEN; nothing of a browser's request but its body, its query and three headers goes along.
 */

import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { partitionOfMessage } from "@genserverless/shared/process/message.ts";
import { isPidPart } from "@genserverless/shared/process/pid.ts";
import express, { type Request, type Response, Router } from "express";
import { ApiAway, type ApiClient } from "../api-client.ts";
import type { Access } from "./access.ts";
import { Problem } from "./problems.ts";
import { textOf } from "./query.ts";

/** `:part` is a part of a pid, or the name of a project or a function, `:id` the id of a message. */
const PROCESS = "/v1/processes/:part/:part";
const ACTS = ["call", "cast", "info", "stop", "pause", "resume", "unquarantine", "kill", "mailbox/skip"];
const PASSED = [
  "GET /openapi.json",
  "GET /v1/modules",
  "POST /v1/processes",
  "DELETE /v1/messages/:id",
  `GET ${PROCESS}`,
  `GET ${PROCESS}/events`,
  `GET ${PROCESS}/journal`,
  ...ACTS.map((act) => `POST ${PROCESS}/${act}`),
  `POST ${PROCESS}/dead-letters/retry`,
  `POST ${PROCESS}/dead-letters/:id/retry`,
  `DELETE ${PROCESS}/dead-letters`,
  `DELETE ${PROCESS}/dead-letters/:id`,
  "POST /api/projects/:part/rollback",
  "POST /ticks/:part/:part",
  "GET /logs/:part/:part",
].map((route) => route.split("/"));

const REQUEST_HEADERS = ["idempotency-key", "if-none-match", "last-event-id"];
const RESPONSE_HEADERS = ["content-type", "etag", "retry-after", "location"];
/** Where a browser's script that begins a stream anew says what it has seen: it cannot set the header. */
const LAST_ID = "lastEventId";
const MOST_BYTES = 1024 * 1024;
/** How often a stream that goes on is asked whether its reader still may read. */
const RECHECK_MS = 5_000;

export function proxyRoutes(api: ApiClient, access: Access): Router {
  const router = Router();
  router.use(express.raw({ limit: MOST_BYTES, type: () => true }), async (request, response, next) => {
    const path = readPath(request);
    if (path === undefined) return next();
    await passOn(api, access, path, request, response);
  });
  return router;
}

/** The path with its query to ask the cluster for, of the segments that a route matched; undefined where none does. */
function readPath({ method, url }: Request): string | undefined {
  const [path = "", query] = url.split(/\?(.*)/s);
  const segments = path.split("/");
  const given = [`${method} ${segments[0]}`, ...segments.slice(1)];
  if (!PASSED.some((route) => isLike(given, route))) return undefined;
  const asked = new URLSearchParams(query);
  asked.delete(LAST_ID);
  return `${segments.join("/")}${asked.size > 0 ? `?${asked}` : ""}`;
}

function isLike(given: readonly string[], route: readonly string[]): boolean {
  return given.length === route.length && given.every((segment, index) => fits(segment, route[index]));
}

function fits(segment: string, place: string | undefined): boolean {
  if (place === ":part") return isPidPart(segment);
  return place === ":id" ? partitionOfMessage(segment) !== undefined : segment === place;
}

async function passOn(
  api: ApiClient,
  access: Access,
  path: string,
  request: Request,
  response: Response,
): Promise<void> {
  const identity = access.demand(request, "read");
  const left = new AbortController();
  response.on("close", () => left.abort());
  const recheck = setInterval(() => {
    if (!access.isLasting(identity)) left.abort();
  }, RECHECK_MS);
  try {
    const answer = await ask(api, path, request, left.signal);
    if (answer.statusCode === 401) {
      answer.body.resume();
      throw new Problem("api_refused");
    }
    response.status(answer.statusCode).set("cache-control", "no-store");
    for (const name of RESPONSE_HEADERS) {
      const value = answer.headers[name];
      if (value !== undefined) response.set(name, value);
    }
    response.flushHeaders();
    await pipeline(answer.body as Readable, response, { signal: left.signal }).catch(() => response.destroy());
  } finally {
    clearInterval(recheck);
  }
}

async function ask(api: ApiClient, path: string, request: Request, signal: AbortSignal) {
  const { method } = request;
  const lastId = textOf(request.query[LAST_ID]);
  const headers: Record<string, string> = lastId === undefined ? {} : { "last-event-id": lastId };
  for (const name of REQUEST_HEADERS) {
    const value = request.get(name);
    if (value !== undefined) headers[name] = value;
  }
  const body = Buffer.isBuffer(request.body) && request.body.length > 0 ? { body: request.body } : {};
  try {
    return await api.open(method as "GET", path, { headers, signal, ...body });
  } catch (error) {
    if (error instanceof ApiAway) throw new Problem("no_api", undefined, { "retry-after": "1" });
    throw error;
  }
}
