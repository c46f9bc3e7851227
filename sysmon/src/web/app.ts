/** The console's routes. The app never listens (the server does) and runs no code but its own. */

import { fileURLToPath } from "node:url";
import { CursorError } from "@genserverless/shared/inspect/process-list.ts";
import { AnswerLost, RedisDown } from "@genserverless/shared/redis/connection.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { EventStream } from "@genserverless/shared/service/event-stream.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { createHostCheck } from "@genserverless/shared/service/hosts.ts";
import express, { type ErrorRequestHandler, type Express, type RequestHandler, Router } from "express";
import type { ApiClient } from "../api-client.ts";
import type { History } from "../history.ts";
import type { LogSource } from "../log-source.ts";
import { createClusterMetrics } from "../metrics.ts";
import type { Watch } from "../watch.ts";
import type { Access } from "./access.ts";
import { type FunctionParts, functionRoutes } from "./function-routes.ts";
import { hidePids, Live } from "./live.ts";
import { logRoutes } from "./log-routes.ts";
import { answerProblem, Problem } from "./problems.ts";
import { type ProcessParts, processRoutes } from "./process-routes.ts";
import { proxyRoutes } from "./proxy-routes.ts";
import { lastEventIdOf } from "./query.ts";
import { sessionRoutes } from "./session-routes.ts";

export interface AppOptions extends ProcessParts {
  watch: Watch;
  history: Pick<History, "beats">;
  logs: LogSource;
  api: ApiClient;
  functions: FunctionParts;
  access: Access;
  /** Names with a dot under which it may be called. */
  allowedHosts?: readonly string[];
  events: Events;
  /** The node's name, told as `x-served-by`, e.g. `sysmon@host`. */
  servedBy: string;
}

const PUBLIC_DIR = fileURLToPath(new URL("public", import.meta.url));

const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

export function createApp(options: AppOptions): Express {
  const { access, allowedHosts, api, events, functions, logs, servedBy } = options;
  const app = express().disable("x-powered-by").disable("etag");
  app.use((_request, response, next) => {
    response.set(SECURITY_HEADERS).set("x-served-by", servedBy);
    next();
  });
  app.get("/health", (_request, response) => {
    response.set("cache-control", "no-store").json({ status: "ok" });
  });
  app.use(refuseForeign(allowedHosts));
  app.get("/metrics", showMetrics(options));
  app.use("/api", sessionRoutes(access), refuseWriting, countRoutes(options));
  app.use("/api", access.require("read"), processRoutes(options), functionRoutes(functions), logRoutes(logs, access));
  app.use("/cluster", access.byMethod, proxyRoutes(api, access));
  app.use(refuseWriting, express.static(PUBLIC_DIR, { cacheControl: false, setHeaders: keepFresh, redirect: false }));
  app.use(() => {
    throw new Problem("unknown_route");
  });
  app.use(answerFailure(events));
  return app;
}

/** What is open where the counts are: the picture, once or as it changes. */
function countRoutes({ watch, history, access }: AppOptions): Router {
  const router = Router();
  const live = new Live({ watch, history });
  router.get("/cluster", showCluster(watch, access));
  router.get("/live", async (request, response) => {
    const identity = access.demandCounts(request);
    const lastId = lastEventIdOf(request);
    if (!identity && live.isFull) throw new Problem("too_many_streams", undefined, { "retry-after": "5" });
    const stream = new EventStream(response, { mayListen: () => !identity || access.isLasting(identity) });
    await live.add(stream, identity !== undefined, lastId);
  });
  return router;
}

/** The cluster's counts, for Prometheus. */
function showMetrics({ watch, events, access }: AppOptions): RequestHandler {
  const metrics = createClusterMetrics(watch, events);
  return async (request, response) => {
    access.demandCounts(request);
    response
      .type(metrics.contentType)
      .set("cache-control", "no-store")
      .send(await metrics.read());
  };
}

/** 200 with the newest view and its age; `redis.connected` false means that it is history. 503 while there is none. */
function showCluster(watch: Watch, access: Access): RequestHandler {
  return async (request, response) => {
    const identity = access.demandCounts(request);
    const picture = await watch.look();
    const { ageMs, away } = picture;
    const view = identity ? picture.view : picture.view && hidePids(picture.view);
    if (!view) throw new Problem("redis_unavailable", undefined, { "retry-after": "1" });
    response.set("cache-control", "no-store").json({ ...view, redis: { ...view.redis, connected: !away }, ageMs });
  };
}

/** Refuses what was sent to a name that is not this server's, and a target that names a server itself, as for a proxy. */
function refuseForeign(allowedHosts: readonly string[] | undefined): RequestHandler {
  const isOwnHost = createHostCheck(allowedHosts);
  return ({ originalUrl, headers }, _response, next) => {
    if (!isOwnHost(headers.host))
      throw new Problem("unknown_host", "a name with a dot must be listed in ALLOWED_HOSTS");
    if (!originalUrl.startsWith("/")) throw new Problem("invalid_request", "the target must be a path");
    next();
  };
}

const refuseWriting: RequestHandler = (request, _response, next) => {
  if (request.method === "GET" || request.method === "HEAD") return next();
  throw new Problem("method_not_allowed", undefined, { allow: "GET, HEAD" });
};

function keepFresh(response: { setHeader(name: string, value: string): unknown }): void {
  response.setHeader("cache-control", "no-cache");
}

function answerFailure(events: Events): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const problem = toProblem(error);
    if (problem.code === "internal_error") events.emit("error", "web.failed", { err: error });
    answerProblem(response, problem);
  };
}

function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ClusterError) return new Problem(error.code, error.message);
  if (error instanceof CursorError) return new Problem("invalid_request", error.message);
  if (error instanceof RedisDown || error instanceof AnswerLost)
    return new Problem("redis_unavailable", undefined, { "retry-after": "1" });
  const { status, type } = error as { status?: number; type?: string };
  if (type === "entity.parse.failed") return new Problem("invalid_json");
  if (status === 413) return new Problem("body_too_large");
  return status !== undefined && status < 500 ? new Problem("invalid_request") : new Problem("internal_error");
}
