/**
 * What lies in a job's `data`: JSON text whose names are short, for every message carries them. `f`, `h` and `k` stand first
 * and in this order, and `m` last, so that a script can read them without decoding the message.
 */

import type { Pid } from "../process/pid.ts";

export interface EnvelopeFields {
  /** The address that waits for the outcome, or "". */
  replyTo?: string;
  /** Of the body, where an Idempotency-Key was given, or "". */
  hash?: string;
  /** How long the outcome is kept, in ms. */
  keepMs?: number;
  /** When the caller stops waiting, in ms since the epoch. */
  deadline?: number;
  /** The processes whose turns wait for this call, the first caller first. */
  chain?: readonly Pid[];
  /** The timer that sent it. */
  timer?: string;
  /** The W3C trace context of what sent it. */
  traceparent?: string | undefined;
}

/** An outcome is kept for so long after its caller has stopped waiting for it. */
export const OUTCOME_MS = 60_000;

/** Joins the parts; `text` is the message's own JSON text. */
export function seal(text: string, fields: EnvelopeFields = {}): string {
  const { replyTo = "", hash = "", keepMs = OUTCOME_MS, deadline, chain, timer, traceparent } = fields;
  const more =
    (deadline === undefined ? "" : `,"d":${deadline}`) +
    (chain === undefined ? "" : `,"c":${JSON.stringify(chain)}`) +
    (timer === undefined ? "" : `,"t":${JSON.stringify(timer)}`) +
    (traceparent === undefined ? "" : `,"p":"${traceparent}"`);
  return `{"f":"${replyTo}","h":"${hash}","k":${keepMs}${more},"m":${text}}`;
}
