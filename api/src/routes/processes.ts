/** Processes as things: start one, read one, list them. */

import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { pidOf } from "../request/input.ts";
import { FAILED_TURN, LIFE_TIMEOUT_MS, REFUSED_POST } from "./messaging.ts";
import { defineRoute, type Route } from "./route.ts";
import { ListProcessesQuery, Process, ProcessPage, ReadProcessQuery, StartAnswer, StartRequest } from "./schemas.ts";

/** Where a state is asked for that is made of a journal. */
const NOT_RECOVERED = ["journal_broken", "callback_timeout", "callback_failed"] as const;
const PATH = "/v1/processes/:module/:key";

export function processRoutes(messenger: Messenger, snapshot: Snapshot): Route[] {
  return [startRoute(messenger), readRoute(snapshot), listRoute(snapshot)];
}

function startRoute(messenger: Messenger): Route {
  const headers = { location: "The process's path" };
  return defineRoute({
    method: "post",
    path: "/v1/processes",
    name: "start",
    summary: "Start a process; answers after init has committed",
    body: StartRequest,
    answers: {
      200: { description: "It was there already, with ifExists: return", schema: StartAnswer, headers },
      201: { description: "Started", schema: StartAnswer, headers },
    },
    problems: [
      ...REFUSED_POST,
      "invalid_pid",
      "unknown_module",
      "already_started",
      "init_failed",
      "init_stopped",
      "init_ignored",
      ...FAILED_TURN,
    ],
    async handle({ body, idempotency }) {
      const { created, pid, status } = await messenger.startProcess({
        ...body,
        ...idempotency,
        timeoutMs: LIFE_TIMEOUT_MS,
      });
      return { status: created ? 201 : 200, json: { pid, status }, headers: { location: `/v1/processes/${pid}` } };
    },
  });
}

function readRoute(snapshot: Snapshot): Route {
  return defineRoute({
    method: "get",
    path: PATH,
    name: "readProcess",
    summary: "Read a process as it was last committed, without a turn",
    query: ReadProcessQuery,
    answers: {
      200: { description: "The process", schema: Process, headers: { etag: "The revision" } },
      304: { description: "Not changed since the revision that If-None-Match names" },
    },
    problems: ["invalid_request", "invalid_pid", "no_process", "store_unavailable", ...NOT_RECOVERED],
    async handle({ params, query, headers }) {
      const pid = pidOf(params);
      const process = await snapshot.readProcess(pid, query.state);
      if (!process) throw new ClusterError("no_process", `${pid} is not there`);
      const etag = `"${process.revision}"`;
      if (matchesTag(headers["if-none-match"], etag)) return { status: 304, headers: { etag } };
      return { status: 200, json: process, headers: { etag } };
    },
  });
}

function matchesTag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}

function listRoute(snapshot: Snapshot): Route {
  return defineRoute({
    method: "get",
    path: "/v1/processes",
    name: "listProcesses",
    summary: "List processes; a page may be short while nextCursor is there",
    query: ListProcessesQuery,
    answers: { 200: { description: "A page", schema: ProcessPage } },
    problems: ["invalid_request", "invalid_pid"],
    handle: async ({ query }) => ({ status: 200, json: await snapshot.listProcesses(query) }),
  });
}
