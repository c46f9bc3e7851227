/** The cluster's log, and of it what happened to the cluster itself, as server-sent events. */

import { type RequestHandler, Router } from "express";
import type { LogEntry, LogFilter, LogSource } from "../log-source.ts";
import type { Access } from "./access.ts";
import { EventStream, readLastId, textOf } from "./event-stream.ts";

const TAIL = { log: 200, events: 2_000 };

const STREAM_ID = /^\d{1,19}-\d{1,19}$/;

/** What happens to the cluster, as its nodes log it. */
const CLUSTER_EVENT =
  /^(session|process|modules|node|worker|lease|takeover|cluster|storage|redis|child|death)\.[a-z-]+$/;

export function logRoutes(source: LogSource, access: Access): Router {
  const router = Router();
  router.get(
    "/logs",
    tellEntries(source, access, TAIL.log, () => true),
  );
  router.get(
    "/events",
    tellEntries(source, access, TAIL.events, ({ msg, pid }) => CLUSTER_EVENT.test(msg) && !isChatter(msg, pid)),
  );
  return router;
}

/** A process's own starts and stops are its log's business; its quarantine is the cluster's. */
function isChatter(msg: string, pid: string | undefined): boolean {
  return pid !== undefined && msg !== "process.quarantined";
}

function tellEntries(
  source: LogSource,
  access: Access,
  tail: number,
  isWanted: (entry: LogEntry) => boolean,
): RequestHandler {
  return (request, response) => {
    const afterId = readLastId(request);
    let unsubscribe = () => {};
    const stream = new EventStream(request, response, {
      mayListen: () => access.identify(request) !== undefined,
      onEnd: () => unsubscribe(),
    });
    const from = afterId && STREAM_ID.test(afterId) ? { afterId } : { tail };
    unsubscribe = source.subscribe({ filter: readFilter(request.query), ...from }, (entry) => {
      if (isWanted(entry)) stream.send("log", entry, entry.id);
    });
    if (response.closed) unsubscribe();
  };
}

function readFilter(query: Record<string, unknown>): LogFilter {
  const names = ["pid", "module", "node", "level"] as const;
  const given = names.map((name) => [name, textOf(query[name])] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
