/** What is in a message for an entity, and in its reply: JSON, bytes as base64. */

import { CommandFailed } from "genserverless/journaled.ts";
import type { AnyValue, MetadataEntry } from "../user-function/wire.ts";
import type { Effect, Forward } from "./dialects.ts";

export interface CommandContent {
  /** Of the method. */
  name: string;
  /** base64. */
  payload: string;
  entityId: string;
  /** The cluster's time, in ms; absent where nobody waits. */
  sentAt?: number;
  metadata?: readonly TextEntry[];
  hops?: number;
}

/** Bytes as base64. */
export interface TextEntry {
  key: string;
  text?: string;
  bytes?: string;
}

export interface EffectContent {
  serviceName: string;
  commandName: string;
  payload: string;
  metadata: readonly TextEntry[];
  /** Through how many other commands it has come: forwarded, or wanted as a side effect. */
  hops?: number;
}

/** What an entity's turn has come to. */
export interface ReplyContent {
  /** base64; absent where another method answers. */
  payload?: string;
  metadata?: readonly TextEntry[];
  forward?: EffectContent;
  /** To be done before the caller gets anything. */
  effects?: readonly EffectContent[];
  /** To be done, whenever. */
  laterEffects?: readonly EffectContent[];
}

/** Anybody who reaches the cluster's API can send to an entity: throws CommandFailed for what is no command. */
export function readCommandContent(content: unknown): CommandContent {
  const { name, payload, entityId, sentAt, metadata = [], hops } = Object(content) as Partial<CommandContent>;
  const isRight =
    [name, payload, entityId].every((one) => typeof one === "string") &&
    [sentAt, hops].every((one) => one === undefined || typeof one === "number") &&
    Array.isArray(metadata) &&
    metadata.every(isTextEntry);
  if (!isRight) throw new CommandFailed("a command is { name, payload, entityId }, its payload base64");
  return content as CommandContent;
}

function isTextEntry(entry: unknown): entry is TextEntry {
  const { key, text = "", bytes = "" } = Object(entry) as Partial<TextEntry>;
  return [key, text, bytes].every((one) => typeof one === "string");
}

/** Bytes that were not there are an empty list to protobufjs. */
export function toBase64(bytes: Uint8Array | readonly number[]): string {
  if (!(bytes instanceof Uint8Array)) return "";
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

export function toTextEntries(entries: readonly MetadataEntry[]): TextEntry[] {
  return entries.map(({ key, stringValue, bytesValue }) =>
    bytesValue?.length ? { key, bytes: toBase64(bytesValue) } : { key, text: stringValue ?? "" },
  );
}

export function toMetadataEntries(entries: readonly TextEntry[] = []): MetadataEntry[] {
  return entries.map(({ key, text, bytes }) =>
    bytes === undefined ? { key, stringValue: text ?? "" } : { key, bytesValue: Buffer.from(bytes, "base64") },
  );
}

/** `cause` is the command that it comes of. */
export function toEffectContent(effect: Effect | Forward, cause: { hops?: number }): EffectContent {
  const { serviceName, commandName, payload, metadata } = effect;
  const hops = (cause.hops ?? 0) + 1;
  return { serviceName, commandName, payload: toBase64(payload.value), metadata: toTextEntries(metadata), hops };
}

export function toAny(typeName: string, payload: string): AnyValue {
  return { type_url: `type.googleapis.com/${typeName}`, value: Buffer.from(payload, "base64") };
}
