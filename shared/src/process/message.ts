/**
 * A message is one entry of a mailbox. Its id is `<partition>-<uuid>`: the partition says where its outcome is kept.
 * Where an Idempotency-Key was given the uuid is derived from pid, route and key, so that a repeated request is the
 * same message; otherwise it is random.
 */

import { createHash, randomUUID } from "node:crypto";

/** The last four come from other processes' ends and links, never from a client. */
export type MessageKind = "start" | "call" | "cast" | "info" | "stop" | "exit" | "down" | "link" | "unlink";

const ID = /^(\d{1,5})-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function newMessageId(partition: number): string {
  return `${partition}-${randomUUID()}`;
}

export function deriveMessageId(partition: number, pid: string, route: string, idempotencyKey: string): string {
  const hex = createHash("sha256")
    .update(JSON.stringify([pid, route, idempotencyKey]))
    .digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return `${partition}-${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The partition an id names, or undefined where the text is no message id. */
export function partitionOfMessage(id: string): number | undefined {
  const match = ID.exec(id);
  return match ? Number(match[1]) : undefined;
}
