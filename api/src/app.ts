/**
 * The HTTP door: routes become an Express app, which never listens. Each route is one handler that does all its steps
 * itself (count, authorize, read, handle, answer) instead of a chain of middleware, for every link of a chain is paid on
 * every call.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Control } from "@genserverless/shared/cluster/control.ts";
import type { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import type { FunctionsClient } from "@genserverless/shared/functions/functions-client.ts";
import type { HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { createHostCheck } from "@genserverless/shared/service/hosts.ts";
import type { Logger } from "@genserverless/shared/service/log.ts";
import express, { type ErrorRequestHandler, type Express, type Request } from "express";
import type { EventStreams } from "./event-streams.ts";
import { invoke, readInvocation } from "./functions/invoke.ts";
import type { Leases } from "./functions/leases.ts";
import type { ProjectsReader } from "./functions/projects.ts";
import type { Relay } from "./functions/relay.ts";
import type { ApiMetrics } from "./metrics.ts";
import { describeRoutes } from "./openapi.ts";
import { type Authorize, guardWith, recognizeToken } from "./request/authorize.ts";
import type { Modules } from "./request/check-message.ts";
import { readInput } from "./request/input.ts";
import { refuseCrossSite, refuseUnknownHost } from "./request/origin.ts";
import { type Answer, HttpProblem, Responder } from "./respond.ts";
import { batchRoutes } from "./routes/batch.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { controlRoutes } from "./routes/control.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { functionRoutes } from "./routes/functions.ts";
import { groupRoutes } from "./routes/groups.ts";
import { historyRoutes } from "./routes/history.ts";
import { type JournalParts, journalRoutes } from "./routes/journal.ts";
import { logRoutes } from "./routes/logs.ts";
import { messageRoutes } from "./routes/messages.ts";
import { messagingRoutes } from "./routes/messaging.ts";
import { type ModuleParts, moduleRoutes } from "./routes/modules.ts";
import { operationRoutes } from "./routes/operations.ts";
import { platformRoutes } from "./routes/platform.ts";
import { processRoutes } from "./routes/processes.ts";
import { projectRoutes } from "./routes/projects.ts";
import type { Route } from "./routes/route.ts";
import { transferRoutes } from "./routes/transfer.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { workRoutes } from "./routes/work.ts";
import type { RequestTracing } from "./tracing.ts";

export interface AppParts {
  messenger: Messenger;
  snapshot: Snapshot;
  control: Control;
  deadLetters: DeadLetters;
  transfer: Transfer;
  modules: Modules;
  tryMigration: ModuleParts["tryMigration"];
  metrics: ApiMetrics;
  tracing: RequestTracing;
  log: Logger;
  /** What `x-served-by` says, e.g. `api@host`. */
  name: string;
  /** Guards everything but `/health` and `/ready` where it is given. */
  token?: string;
  /** Names with a dot under which it may be called. */
  allowedHosts?: readonly string[];
  /** What it answers with that goes on, to be ended when the node leaves. */
  streams?: EventStreams;
  logs: LogFeed;
  history: HistoryFeed;
  journal: JournalParts;
  functions: FunctionsDoor;
  /** Whether this node has joined the cluster; until then what needs it is refused. */
  isOpen(): boolean;
  isDraining(): boolean;
}

/** What the functions service is asked through. */
export interface FunctionsDoor {
  client: FunctionsClient;
  projects: ProjectsReader;
  relay: Relay;
  leases: Leases;
  webhookSecret: string | undefined;
  /** Whether functions may be invoked without the token. */
  isOpen: boolean;
}

/** The whole door. Invocations do not pass through Express, which would take as much time as all else that is done for one here. */
export function createDoor(parts: AppParts): RequestListener {
  const app = createApp(parts);
  const invokeAtOnce = createInvocations(parts);
  return (req, res) => void (invokeAtOnce(req, res) || app(req, res));
}

export function createApp(parts: AppParts): Express {
  const routes = listRoutes(parts);
  const admit = guardDoor(parts);
  const exchangeFor = createExchanges(parts);
  const app = express().disable("x-powered-by").disable("etag");
  app.enable("case sensitive routing").enable("strict routing");

  for (const route of routes) {
    const exchange = exchangeFor(route.method === "all" ? "other" : route.method.toUpperCase(), route.path);
    const guard = route.isPublic ? () => {} : admit;
    const needsCluster = isOfCluster(route.path);
    app.route(route.path)[route.method]((req, res) =>
      exchange(res, async () => {
        guard(req);
        // Which pages may ask a function is the function's matter.
        if (!route.isRelayed) refuseCrossSite(req);
        if (needsCluster && !parts.isOpen()) throw notJoined();
        return route.handle(await readInput(route, req, res));
      }),
    );
  }
  for (const [path, allow] of methodsByPath(routes)) {
    const exchange = exchangeFor("other", path);
    app.route(path).all((req, res) => exchange(res, () => refuseMethod(admit, req, allow)));
  }
  const exchange = exchangeFor("other", "unknown");
  app.use((req, res) => exchange(res, () => refuseRoute(admit, req)));
  const failed: ErrorRequestHandler = (error, req, res, _next) => exchange(res, () => refusePath(admit, req, error));
  return app.use(failed);
}

function createInvocations(parts: AppParts) {
  const { functions, token } = parts;
  const admit = guardDoor(parts);
  const exchange = createExchanges(parts)("other", "/invoke/:project/:function");
  const invoking = { ...functions, carriesToken: recognizeToken(token) };
  return (req: IncomingMessage, res: ServerResponse): boolean => {
    const invocation = req.url?.startsWith("/invoke/") ? readInvocation(req.url) : undefined;
    if (!invocation) return false;
    exchange(res, () => {
      if (!functions.isOpen) admit(req);
      return invoke(invoking, invocation, { req, res });
    });
    return true;
  };
}

/** Throws where a request was not sent to this server, or not by somebody who knows its token. */
function guardDoor({ token, allowedHosts }: AppParts): Authorize {
  const authorize = guardWith(token);
  const isOwnHost = createHostCheck(allowedHosts);
  return (req) => {
    refuseUnknownHost(req, isOwnHost);
    authorize(req);
  };
}

/** In the order in which they are tried: the hot path first. */
function listRoutes(parts: AppParts): Route[] {
  const { messenger, snapshot, control, deadLetters, transfer, modules, tryMigration, metrics } = parts;
  const { name, logs, history, journal, functions, token, isOpen, isDraining } = parts;
  let described: { of: ReturnType<Modules>; text: string } | undefined;
  const describe = (): string => {
    const of = modules();
    if (described?.of !== of) described = { of, text: JSON.stringify(describeRoutes(routes, of)) };
    return described.text;
  };
  const routes: Route[] = [
    ...messagingRoutes(messenger, modules),
    ...batchRoutes(messenger, modules),
    ...processRoutes(messenger, snapshot),
    ...transferRoutes(transfer),
    ...controlRoutes(control, snapshot),
    ...deadLetterRoutes(deadLetters, snapshot),
    ...bulkRoutes({ messenger, snapshot, control, deadLetters }),
    ...groupRoutes(messenger, snapshot, modules),
    ...moduleRoutes({ modules, tryMigration }),
    ...messageRoutes(messenger, snapshot, isDraining),
    ...workRoutes({ messenger, snapshot, modules, name }),
    ...historyRoutes(history),
    ...journalRoutes(journal),
    ...logRoutes(logs),
    ...projectRoutes({ messenger, ...functions }),
    ...functionRoutes({ messenger, ...functions, carriesToken: recognizeToken(token) }),
    ...webhookRoutes({ messenger, projects: functions.projects, secret: functions.webhookSecret }),
    ...platformRoutes(),
    ...operationRoutes({ snapshot, metrics, isOpen, isDraining, describe }),
  ];
  return routes;
}

type Exchange = (res: ServerResponse, produce: () => Promise<Answer> | Answer) => Promise<void>;

/** An exchange answers a request with what is produced or thrown for it, counts, times and traces it under its route's name. */
function createExchanges({ metrics, tracing, log, name, streams, isDraining }: AppParts) {
  const respond = new Responder(name, isDraining, log, streams);
  return (method: string, route: string): Exchange => {
    const observe = metrics.forRoute(method, route);
    const begin = tracing.forRoute(route, isOfCluster(route));
    return async (res, produce) => {
      const startedAt = performance.now();
      const span = begin(res.req);
      metrics.inFlight++;
      let status = 500;
      try {
        status = respond.send(res, await tracing.run(span, produce));
      } catch (error) {
        status = respond.fail(res, error);
      } finally {
        metrics.inFlight--;
        observe(status, (performance.now() - startedAt) / 1000);
        tracing.end(span, status);
      }
    };
  };
}

function isOfCluster(path: string): boolean {
  return /^\/(api|v1|ticks)\//.test(path);
}

function methodsByPath(routes: readonly Route[]): Map<string, string> {
  const allowed = new Map<string, string>();
  for (const { method, path } of routes.filter((route) => route.method !== "all")) {
    const methods = method === "get" ? "GET, HEAD" : method.toUpperCase();
    allowed.set(path, [allowed.get(path), methods].filter(Boolean).join(", "));
  }
  return allowed;
}

function notJoined(): ClusterError {
  return new ClusterError("redis_unavailable", "this node has not joined the cluster yet");
}

function refuseMethod(admit: Authorize, req: Request, allow: string): never {
  admit(req);
  throw new HttpProblem("method_not_allowed", `the route takes ${allow}`, { headers: { allow } });
}

function refuseRoute(admit: Authorize, req: Request): never {
  admit(req);
  throw new ClusterError("unknown_route", "GET /openapi.json lists the routes");
}

/** The one error that comes from the router: a path with a broken percent-encoding. */
function refusePath(admit: Authorize, req: Request, error: unknown): never {
  admit(req);
  if (!(error instanceof URIError)) throw error;
  const code = req.path.startsWith("/v1/processes/") ? "invalid_pid" : "invalid_request";
  throw new ClusterError(code, "the path is not valid percent-encoding");
}
