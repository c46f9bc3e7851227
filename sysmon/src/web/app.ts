/** The console's routes. It only reads; it never listens (the server does) and it runs no script but its own files'. */

import { fileURLToPath } from "node:url";
import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from "express";
import type { Watch } from "../watch.ts";

export interface AppOptions {
  watch: Watch;
  events: Events;
  /** The node's name, told as `x-served-by`, e.g. `sysmon@host`. */
  servedBy: string;
}

const PUBLIC_DIR = fileURLToPath(new URL("public", import.meta.url));

const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export function createApp({ watch, events, servedBy }: AppOptions): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use((_request, response, next) => {
    response.set(SECURITY_HEADERS).set("x-served-by", servedBy);
    next();
  });
  app.use(refuseWriting);
  app.get("/health", (_request, response) => {
    response.set("cache-control", "no-store").json({ status: "ok" });
  });
  app.get("/api/cluster", showCluster(watch));
  app.use(express.static(PUBLIC_DIR, { cacheControl: false, setHeaders: keepFresh, redirect: false }));
  app.use((_request, response) => answerProblem(response, "unknown_route"));
  app.use(answerFailure(events));
  return app;
}

/** 200 with the newest view and its age; `redis.connected` false means that it is history. 503 while there is none. */
function showCluster(watch: Watch): RequestHandler {
  return async (_request, response) => {
    const { view, ageMs, away } = await watch.look();
    response.set("cache-control", "no-store");
    if (!view) return answerProblem(response.set("retry-after", "1"), "redis_unavailable");
    response.json({ ...view, redis: { ...view.redis, connected: !away }, ageMs });
  };
}

const refuseWriting: RequestHandler = (request, response, next) => {
  if (request.method === "GET" || request.method === "HEAD") return next();
  answerProblem(response.set("allow", "GET, HEAD"), "method_not_allowed");
};

function keepFresh(response: { setHeader(name: string, value: string): unknown }): void {
  response.setHeader("cache-control", "no-cache");
}

function answerFailure(events: Events): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    events.emit("error", "web.failed", { err: error });
    answerProblem(response, "internal_error");
  };
}

function answerProblem(response: Response, code: ErrorCode): void {
  const [status, title] = ERRORS[code];
  response
    .status(status)
    .type("application/problem+json")
    .send(JSON.stringify({ type: `urn:genserverless:problem:${code}`, title, status, code }));
}
