/** A fetched message, opened: what its envelope says, and what it weighs in the mailbox. */

import type { Fetched } from "@genserverless/shared/cluster/leases.ts";
import type { MessageKind } from "@genserverless/shared/process/message.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";

export interface Message {
  id: string;
  kind: MessageKind;
  content: unknown;
  /** The address that waits for the outcome, or "". */
  replyTo: string;
  hash: string;
  keepMs: number;
  /** When the caller stops waiting, in ms since the epoch; undefined where it did not say. */
  deadline: number | undefined;
  /** The processes whose turns wait for this one. */
  chain: readonly Pid[];
  /** The name of the timer that sent it. */
  timer: string | undefined;
  /** The trace context of what sent it. */
  traceparent: string | undefined;
  bytes: number;
  deaths: number;
  blame: string;
  tries: number;
  /** In ms since the epoch; undefined for what was sent with a delay. */
  queuedAt: number | undefined;
}

interface Envelope {
  f?: string;
  h?: string;
  k?: number;
  d?: number;
  c?: readonly Pid[];
  t?: string;
  p?: string;
  m?: unknown;
}

export function openMessage({ id, kind, envelope, deaths, blame, tries, queuedAt }: Fetched): Message {
  const { f = "", h = "", k = 60_000, d, c = [], t, p, m } = readEnvelope(envelope);
  const bytes = Buffer.byteLength(envelope);
  return {
    id,
    kind,
    content: m,
    replyTo: f,
    hash: h,
    keepMs: k,
    deadline: d,
    chain: c,
    timer: t,
    traceparent: p,
    bytes,
    deaths,
    blame,
    tries,
    queuedAt,
  };
}

/** What another tool has made of a job is no envelope, and still a message. */
function readEnvelope(text: string): Envelope {
  try {
    const envelope: unknown = JSON.parse(text);
    return typeof envelope === "object" && envelope !== null ? envelope : { m: envelope };
  } catch {
    return { m: text };
  }
}
