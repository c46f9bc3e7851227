/** Signing in and out, and who one is. */

import express, { type Request, Router } from "express";
import type { Access } from "./access.ts";
import { Problem } from "./problems.ts";

const MOST_BYTES = 4096;

export function sessionRoutes(access: Access): Router {
  const router = Router();
  router.get("/session", (request, response) => {
    const identity = access.identify(request);
    response.set("cache-control", "no-store").json({
      scope: identity?.scope ?? "none",
      seesCounts: access.seesCounts(request, identity),
      ...(identity?.session && { endsAt: new Date(identity.session.endsAtMs).toISOString() }),
    });
  });
  router.post("/session", express.json({ limit: MOST_BYTES, type: "application/json" }), (request, response) => {
    const scope = access.signIn(request, response, readToken(request));
    response.set("cache-control", "no-store").json({ scope });
  });
  router.delete("/session", (request, response) => {
    access.signOut(request, response);
    response.status(204).end();
  });
  return router;
}

function readToken({ body }: Request): string {
  const token = (body as { token?: unknown } | undefined)?.token;
  if (typeof token !== "string" || token === "")
    throw new Problem("invalid_request", 'The body must be {"token": "…"}');
  return token;
}
