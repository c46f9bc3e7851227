/** What every refusal over HTTP has to look like. */

import assert from "node:assert/strict";
import type { Answer } from "../tools/cluster-client.ts";

const STACK = /\n\s+at |node_modules|\.ts:\d+|\/src\//;

/** A problem document of this status and code, complete, and without a stack or a path of ours. `what` is e.g. `404 no_process`. */
export function assertProblem({ status, body, headers }: Answer, what: string): void {
  assert.equal(`${status} ${body["code"]}`, what, JSON.stringify(body).slice(0, 500));
  assert.equal(headers["content-type"], "application/problem+json");
  assert.match(String(headers["x-served-by"]), /^api@api-\d+$/);
  assert.equal(body["status"], status);
  assert.equal(body["type"], `urn:genserverless:problem:${body["code"]}`);
  for (const member of ["title", "detail"]) assert.ok(String(body[member] ?? "") !== "", `it has a ${member}`);
  assert.ok(String(body["detail"]).length <= 2_100, "its detail does not grow with what was sent");
  assert.doesNotMatch(JSON.stringify(body).replaceAll("\\n", "\n"), STACK);
}
