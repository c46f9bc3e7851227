/**
 * What stands in a record's field `d` where the state is in a store: `@<store> <incarnation> <revision> <writeId>`. No JSON
 * text begins with `@`, so a state that stands there itself needs no mark.
 */

import { randomBytes } from "node:crypto";
import type { Pid } from "../process/pid.ts";
import type { StoredAt } from "./store.ts";

const REFERENCE = /^@([A-Za-z0-9._~-]+) (\d+) (\d+) ([A-Za-z0-9_-]+)$/;

/** The name under which a state stands in the record itself. */
export const IN_RECORD = "redis";

export function newWriteId(): string {
  return randomBytes(9).toString("base64url");
}

/** The name of the store in which the state is that a record's text stands for. */
export function storeOf(text: string | undefined): string {
  return text?.startsWith("@") ? text.slice(1, text.indexOf(" ")) : IN_RECORD;
}

export function formatReference(store: string, { incarnation, revision, writeId }: StoredAt): string {
  return `@${store} ${incarnation} ${revision} ${writeId}`;
}

/** Reads a reference in the record of a process. */
export function readReference(pid: Pid, text: string): { store: string; at: StoredAt } {
  const [, store, incarnation, revision, writeId] = REFERENCE.exec(text) ?? [];
  if (!store || !writeId) throw new Error(`the record of ${pid} has a malformed reference: ${text.slice(0, 100)}`);
  return { store, at: { pid, incarnation: Number(incarnation), revision: Number(revision), writeId } };
}
