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
