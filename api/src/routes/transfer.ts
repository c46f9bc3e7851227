/** A process as one document: taken out, or put in. */

import type { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { pidOf } from "../request/input.ts";
import { REFUSED_POST } from "./messaging.ts";
import { ImportAnswer, ImportRequest, ProcessDocument } from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

/** Whatever can be exported: a mailbox and a journal of 64 MiB together, a state of 8 MiB, and what JSON puts around them. */
const MOST_DOCUMENT_BYTES = 80 * 1024 * 1024;

export function transferRoutes(transfer: Transfer): Route[] {
  return [exportRoute(transfer), importRoute(transfer)];
}

function exportRoute(transfer: Transfer): Route {
  return defineRoute({
    method: "get",
    path: "/v1/processes/:module/:key/export",
    name: "export",
    summary: "Read all of a process as of one moment: state or journal, options, timers and mailbox",
    answers: { 200: { description: "The document", schema: ProcessDocument } },
    problems: ["invalid_request", "invalid_pid", "no_process", "not_started", "too_large_to_export", "journal_broken"],
    handle: async ({ params }) => ({ status: 200, json: await transfer.exportProcess(pidOf(params)) }),
  });
}

function importRoute(transfer: Transfer): Route {
  const headers = { location: "The process's path" };
  return defineRoute({
    method: "post",
    path: "/v1/processes/import",
    name: "import",
    summary: "Make a process of a document, under its pid or another one; no init runs",
    body: ImportRequest,
    mostBodyBytes: MOST_DOCUMENT_BYTES,
    answers: { 201: { description: "It is there", schema: ImportAnswer, headers } },
    problems: [...REFUSED_POST, "unknown_module", "already_started"],
    async handle({ body, idempotency }) {
      const { document, ifExists } = body;
      const pid = (body.pid ?? document.pid) as Pid;
      const status = await transfer.importProcess({ pid, document, replaces: ifExists === "replace", ...idempotency });
      return { status: 201, json: { pid, status }, headers: { location: `/v1/processes/${pid}` } };
    },
  });
}
