/**
 * What became of a message. An outcome is written by the commit that handled the message and kept for a while under the
 * message's id: it is the reply store, the duplicate check and the answer of `GET /v1/messages/{id}` in one.
 */

export type MessageStatus = "queued" | "running" | "done" | "failed" | "dropped" | "expired";

export interface Failure {
  code: string;
  detail: string;
}

export interface Outcome {
  status: "done" | "failed" | "dropped" | "expired";
  /** The reply of a call; `{pid,status}` of a start; `{reason}` of a stop. */
  reply?: unknown;
  error?: Failure;
}

/** What is kept under a message's id: in whose mailbox it waits, or its outcome; and the hash of a keyed body, or "". */
export type Known = { hash: string; mailbox: string; outcome?: never } | { hash: string; outcome: Outcome };

/** Reads `q|hash|mailbox` or `o|hash|outcome`, as the scripts write them. */
export function readKnown(text: string): Known {
  const [kind, hash = ""] = text.split("|", 2);
  const rest = text.slice(hash.length + 3);
  return kind === "o" ? { hash, outcome: JSON.parse(rest) as Outcome } : { hash, mailbox: rest };
}
