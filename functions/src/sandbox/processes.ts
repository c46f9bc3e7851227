/**
 * How many processes a sandbox may have. The kernel counts them, and their threads, by user id: what limits one sandbox counts those
 * of all sandboxes of its project, so there has to be room for the others.
 */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";

/** A sandbox's threads, and some to spare. */
const EACH = 24;
/** Of a build: npm's, Go's compilers, and the look at what was built. */
const BUILD = 256;

/** Room for a build, and for the sandboxes of such functions beside it. */
export function countProcesses(functions: Iterable<Pick<FunctionSpec, "concurrency">>): number {
  let sandboxes = 2;
  for (const { concurrency } of functions) sandboxes += concurrency;
  return BUILD + EACH * sandboxes;
}
