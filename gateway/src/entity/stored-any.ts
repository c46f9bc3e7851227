/**
 * What the journal holds of an entity's events and snapshots: an Any as JSON, its value as base64. The journal of an entity
 * whose name is a hash says its id too, with each of them.
 */

import { type EmittedEvent, type JournalEntry, JournalError, type Snapshot } from "genserverless/journaled.ts";
import type { AnyValue } from "../user-function/wire.ts";
import { toBase64 } from "./command-content.ts";

export interface StoredAny {
  /** Undefined for a value that was deleted. */
  any: AnyValue | undefined;
  entityId: string | undefined;
}

interface StoredValue {
  typeUrl?: string;
  value?: string;
  entityId?: string;
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** `entityId` where the entity's name does not say it. */
export function toEvent({ type_url: typeUrl, value }: AnyValue, entityId: string | undefined): EmittedEvent {
  const base64 = toBase64(value);
  return { type: typeUrl, dataText: JSON.stringify(entityId === undefined ? base64 : { value: base64, entityId }) };
}

/** Throws JournalError. */
export function readEvent({ sequence, type, dataText }: JournalEntry): StoredAny & { any: AnyValue } {
  const stored = parse(dataText, `event ${sequence}`);
  const { value, entityId } = typeof stored === "string" ? { value: stored } : (stored ?? ({} as StoredValue));
  return { any: { type_url: type, value: decode(value, `event ${sequence}`) }, entityId };
}

/** What is kept of a value entity, whose events are called `updated` and `deleted`. */
export function toValueEvent(any: AnyValue | undefined, entityId: string | undefined): EmittedEvent {
  return { type: any ? "updated" : "deleted", dataText: JSON.stringify(toState(any, entityId)) };
}

/** Throws JournalError. */
export function readValueEvent({ sequence, dataText }: JournalEntry): StoredAny {
  return readState(parse(dataText, `event ${sequence}`), `event ${sequence}`);
}

export function toState(any: AnyValue | undefined, entityId: string | undefined): object | null {
  if (!any && entityId === undefined) return null;
  return {
    ...(any && { typeUrl: any.type_url, value: toBase64(any.value) }),
    ...(entityId !== undefined && { entityId }),
  };
}

/** Throws JournalError. */
export function readSnapshot({ sequence, stateText }: Snapshot): StoredAny {
  return readState(parse(stateText, `the snapshot at ${sequence}`), `the snapshot at ${sequence}`);
}

function readState(stored: string | StoredValue | null, what: string): StoredAny {
  if (typeof stored === "string") throw new JournalError(`${what} is not one of a user function's entity`);
  const { typeUrl, value, entityId } = stored ?? {};
  if (typeUrl === undefined && value === undefined) return { any: undefined, entityId };
  if (typeof typeUrl !== "string") throw new JournalError(`${what} has no type`);
  return { any: { type_url: typeUrl, value: decode(value, what) }, entityId };
}

function parse(text: string, what: string): string | StoredValue | null {
  try {
    return JSON.parse(text) as string | StoredValue | null;
  } catch {
    throw new JournalError(`${what} is not JSON`);
  }
}

function decode(value: unknown, what: string): Uint8Array {
  if (typeof value !== "string" || !BASE64.test(value)) throw new JournalError(`${what} is not base64`);
  return Buffer.from(value, "base64");
}
