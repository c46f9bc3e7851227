/** One act on every process that a filter matches. */

import { type BulkParts, runBulk } from "../bulk.ts";
import { REFUSED_POST } from "./messaging.ts";
import { BulkAnswer, BulkRequest } from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

export function bulkRoutes(parts: BulkParts): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/v1/bulk",
      name: "bulk",
      summary: "Act on every process that a filter matches, for about 20 s; a dry run counts them",
      body: BulkRequest,
      answers: { 200: { description: "How many matched, and what became of them", schema: BulkAnswer } },
      problems: REFUSED_POST,
      handle: async ({ body, idempotency }) => ({
        status: 200,
        json: await runBulk(parts, body, idempotency.idempotencyKey),
      }),
    }),
  ];
}
