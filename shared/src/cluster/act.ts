/**
 * An act of an operator that must not be done twice. It has an id, under which what came of it is kept as the outcome of a
 * message is: for a minute, so that a script can be sent again after a lost answer, or for a day where the caller gave an
 * Idempotency-Key.
 */

import { deriveMessageId, newMessageId } from "../process/message.ts";
import type { Pid } from "../process/pid.ts";
import { OUTCOME_MS } from "./envelope.ts";
import { hashOf, KEYED_OUTCOME_MS, readSame } from "./idempotency.ts";

export interface Act {
  id: string;
  /** Of the body, where there is an Idempotency-Key; else "". */
  hash: string;
  keepMs: number;
}

export function composeAct(
  partition: number,
  pid: Pid,
  name: string,
  body: unknown,
  idempotencyKey: string | undefined,
): Act {
  if (idempotencyKey === undefined) return { id: newMessageId(partition), hash: "", keepMs: OUTCOME_MS };
  return {
    id: deriveMessageId(partition, pid, name, idempotencyKey),
    hash: hashOf(body),
    keepMs: KEYED_OUTCOME_MS,
  };
}

/** What came of an act that was done already. Throws where it was another one under the same key. */
export function readDone(text: string, act: Act): unknown {
  return readSame(text, act)?.reply;
}
