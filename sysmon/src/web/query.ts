/** What a request says beside its path. */

import { readLastEventId } from "@genserverless/shared/service/event-stream.ts";
import type { Request } from "express";

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** Where a reader of events has been: a browser says it in the header, a script that begins anew in the query. */
export function lastEventIdOf(request: Request): string | undefined {
  return readLastEventId(request.get("last-event-id") || request.query["lastEventId"]);
}
