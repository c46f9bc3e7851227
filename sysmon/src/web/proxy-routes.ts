/**
 * The cluster's own API, as far as the console shows and steers with it. Only the paths listed here are passed on, with
 * sysmon's own API_TOKEN; nothing of a browser's request but its body, its query and three headers goes along.
 */

import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import express, { type Request, type Response, Router } from "express";
import { ApiAway, type ApiClient } from "../api-client.ts";
import type { Access } from "./access.ts";
import { Problem } from "./problems.ts";

const PROCESS = "/v1/processes/[^/]+/[^/]+";
const PASSED = [
  /^GET \/openapi\.json$/,
  /^GET \/v1\/modules$/,
  /^POST \/v1\/processes$/,
  /^DELETE \/v1\/messages\/[^/]+$/,
  new RegExp(`^GET ${PROCESS}(/events)?$`),
  new RegExp(`^POST ${PROCESS}/(call|cast|info|stop|pause|resume|unquarantine|kill|mailbox/skip)$`),
  new RegExp(`^POST ${PROCESS}/dead-letters/([^/]+/)?retry$`),
  new RegExp(`^DELETE ${PROCESS}/dead-letters(/[^/]+)?$`),
];

const REQUEST_HEADERS = ["idempotency-key", "if-none-match", "last-event-id"];
const RESPONSE_HEADERS = ["content-type", "etag", "retry-after", "location"];
const MOST_BYTES = 1024 * 1024;
/** How often a stream that goes on is asked whether its reader still may read. */
const RECHECK_MS = 5_000;

export function proxyRoutes(api: ApiClient, access: Access): Router {
  const router = Router();
  router.use(express.raw({ limit: MOST_BYTES, type: () => true }), async (request, response, next) => {
    if (!PASSED.some((pattern) => pattern.test(`${request.method} ${request.path}`))) return next();
    await passOn(api, access, request, response);
  });
  return router;
}

async function passOn(api: ApiClient, access: Access, request: Request, response: Response): Promise<void> {
  const left = new AbortController();
  response.on("close", () => left.abort());
  const recheck = setInterval(() => {
    if (!access.identify(request)) left.abort();
  }, RECHECK_MS);
  try {
    const answer = await ask(api, request, left.signal);
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

async function ask(api: ApiClient, request: Request, signal: AbortSignal) {
  const { method, url } = request;
  const headers: Record<string, string> = {};
  for (const name of REQUEST_HEADERS) {
    const value = request.get(name);
    if (value !== undefined) headers[name] = value;
  }
  const body = Buffer.isBuffer(request.body) && request.body.length > 0 ? { body: request.body } : {};
  try {
    return await api.open(method as "GET", url, { headers, signal, ...body });
  } catch (error) {
    if (error instanceof ApiAway) throw new Problem("no_api", undefined, { "retry-after": "1" });
    throw error;
  }
}
