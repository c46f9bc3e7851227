/** A fetched message, opened: what its envelope says, and what it weighs in the mailbox. */

import type { Fetched } from "@genserverless/shared/cluster/leases.ts";
import type { MessageKind } from "@genserverless/shared/process/message.ts";

export interface Message {
  id: string;
  kind: MessageKind;
  content: unknown;
  /** The address that waits for the outcome, or "". */
  replyTo: string;
  hash: string;
  keepMs: number;
  bytes: number;
  deaths: number;
  blame: string;
}

export function openMessage({ id, kind, envelope, deaths, blame }: Fetched): Message {
  const { f = "", h = "", k = 60_000, m } = readEnvelope(envelope);
  return { id, kind, content: m, replyTo: f, hash: h, keepMs: k, bytes: Buffer.byteLength(envelope), deaths, blame };
}

/** What another tool has made of a job is no envelope, and still a message. */
function readEnvelope(text: string): { f?: string; h?: string; k?: number; m?: unknown } {
  try {
    const envelope: unknown = JSON.parse(text);
    return typeof envelope === "object" && envelope !== null ? envelope : { m: envelope };
  } catch {
    return { m: text };
  }
}
