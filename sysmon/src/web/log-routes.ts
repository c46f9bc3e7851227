/** The cluster's log, and of it what happened to the cluster itself, as server-sent events. */

import { LOG_LEVELS, type LogEntry, type LogFilter } from "@genserverless/shared/logs/log-entry.ts";
import { EventStream } from "@genserverless/shared/service/event-stream.ts";
import { type RequestHandler, Router } from "express";
import { isClusterEvent } from "../cluster-events.ts";
import type { LogSource } from "../log-source.ts";
import type { Access } from "./access.ts";
import { Problem } from "./problems.ts";
import { lastEventIdOf, textOf } from "./query.ts";

const TAIL = { log: 200, events: 2_000 };

export function logRoutes(source: LogSource, access: Access): Router {
  const router = Router();
  router.get(
    "/logs",
    tellEntries(source, access, TAIL.log, () => true),
  );
  router.get("/events", tellEntries(source, access, TAIL.events, isClusterEvent));
  return router;
}

function tellEntries(
  source: LogSource,
  access: Access,
  tail: number,
  isWanted: (entry: LogEntry) => boolean,
): RequestHandler {
  return (request, response) => {
    const identity = access.demand(request, "read");
    const afterId = lastEventIdOf(request);
    const filter = readFilter(request.query);
    const stream = new EventStream(response, { mayListen: () => access.isLasting(identity) });
    const from = afterId === undefined ? { tail } : { afterId };
    const unsubscribe = source.subscribe({ filter, ...from }, (entry) => {
      if (isWanted(entry)) stream.send({ event: "log", id: entry.id, data: entry });
    });
    stream.onClose(unsubscribe);
  };
}

function readFilter({ pid, module, node, level: given }: Record<string, unknown>): LogFilter {
  const text = textOf(given);
  const level = LOG_LEVELS.find((known) => known === text);
  if (text !== undefined && !level) throw new Problem("invalid_request", `level is one of ${LOG_LEVELS.join(", ")}`);
  return { pid: textOf(pid), module: textOf(module), node: textOf(node), level };
}
