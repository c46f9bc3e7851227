/** What a request with an Idempotency-Key is known by: its id, which is derived from the key, and the hash of its body. */

import { createHash } from "node:crypto";
import { type Outcome, readKnown } from "../process/outcome.ts";
import { ClusterError } from "../service/errors.ts";

/** How long the outcome of a keyed request is kept. */
export const KEYED_OUTCOME_MS = 86_400_000;

export function hashOf(body: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(body) ?? "")
    .digest("base64url")
    .slice(0, 22);
}

/** The outcome of what was known already, or undefined while it waits. Throws where the body differs. */
export function readSame(text: string, { hash, id }: { hash: string; id: string }): Outcome | undefined {
  const known = readKnown(text);
  if (hash && known.hash !== hash) {
    throw new ClusterError("idempotency_conflict", "the Idempotency-Key was used with another body", id);
  }
  return known.outcome;
}
