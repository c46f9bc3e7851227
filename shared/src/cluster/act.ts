/**
 * An act of an operator that must not be done twice. It has an id, under which what came of it is kept as the outcome of a
 * message is: for a minute, so that a script can be sent again after a lost answer, or for a day where the caller gave an
 * Idempotency-Key.
 */

import { createHash } from "node:crypto";
import { deriveMessageId, newMessageId } from "../process/message.ts";
import { readKnown } from "../process/outcome.ts";
import type { Pid } from "../process/pid.ts";
import { ClusterError } from "../service/errors.ts";

export interface Act {
  id: string;
  /** Of the body, where there is an Idempotency-Key; else "". */
  hash: string;
  keepMs: number;
}

const KEPT_MS = 60_000;
const KEYED_MS = 86_400_000;

export function composeAct(
  partition: number,
  pid: Pid,
  name: string,
  body: unknown,
  idempotencyKey: string | undefined,
): Act {
  if (idempotencyKey === undefined) return { id: newMessageId(partition), hash: "", keepMs: KEPT_MS };
  return {
    id: deriveMessageId(partition, pid, name, idempotencyKey),
    hash: createHash("sha256").update(JSON.stringify(body)).digest("base64url").slice(0, 22),
    keepMs: KEYED_MS,
  };
}

/** What came of an act that was done already. Throws where it was another one under the same key. */
export function readDone(text: string, { id, hash }: Act): unknown {
  const known = readKnown(text);
  if (hash && known.hash !== hash) {
    throw new ClusterError("idempotency_conflict", "the Idempotency-Key was used with another body", id);
  }
  return known.outcome?.reply;
}
