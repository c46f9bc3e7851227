/** Projects and their functions as the cluster's API tells of them; browsers that ask at the same moment share one read. */

import { isPidPart } from "@genserverless/shared/process/pid.ts";
import { type RequestHandler, Router } from "express";
import { ApiAway } from "../api-client.ts";
import type { FunctionEyes, Read } from "../functions.ts";
import { Problem } from "./problems.ts";
import { SharedReads } from "./shared-reads.ts";

export type FunctionParts = Pick<FunctionEyes, "readFunctions" | "readFunction">;

export function functionRoutes(eyes: FunctionParts): Router {
  const router = Router();
  const reads = new SharedReads();
  router.get(
    "/functions",
    answer(() => reads.read("all", () => eyes.readFunctions())),
  );
  router.get(
    "/functions/:project/:name",
    answer(({ project = "", name = "" }) => {
      if (!isPidPart(project) || !isPidPart(name)) throw new Problem("unknown_route");
      return reads.read(`one ${project} ${name}`, () => eyes.readFunction(project, name));
    }),
  );
  return router;
}

/** What the API refuses is passed on as it said it: 503 where the cluster has no functions. */
function answer(read: (params: Record<string, string>) => Promise<Read<unknown>>): RequestHandler {
  return async ({ params }, response) => {
    const told = await read(params as Record<string, string>).catch((error: unknown) => {
      throw error instanceof ApiAway ? new Problem("no_api", undefined, { "retry-after": "1" }) : error;
    });
    response.set("cache-control", "no-store");
    if ("view" in told) {
      response.json(told.view);
      return;
    }
    const { status, body } = told.refusal;
    if (status === 401) throw new Problem("api_refused");
    response.status(status).json(body);
  };
}
