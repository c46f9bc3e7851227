/** The id of the entity that a request is for: its key fields as text, joined with "-", read without decoding the rest. */

import protobuf from "protobufjs";

/** What a key field can be, by the number of its type in descriptor.proto. An enum is read as int32. */
export const KEY_TYPES: ReadonlyMap<number, KeyType> = new Map<number, KeyType>([
  [1, "double"],
  [2, "float"],
  [3, "int64"],
  [4, "uint64"],
  [5, "int32"],
  [6, "fixed64"],
  [7, "fixed32"],
  [8, "bool"],
  [9, "string"],
  [12, "bytes"],
  [13, "uint32"],
  [14, "int32"],
  [15, "sfixed32"],
  [16, "sfixed64"],
  [17, "sint32"],
  [18, "sint64"],
]);

type KeyType =
  | "double"
  | "float"
  | "int64"
  | "uint64"
  | "int32"
  | "fixed64"
  | "fixed32"
  | "bool"
  | "string"
  | "bytes"
  | "uint32"
  | "sfixed32"
  | "sfixed64"
  | "sint32"
  | "sint64";

export interface KeyField {
  name: string;
  number: number;
  type: KeyType;
  /** Of an enum: names by number. */
  names: ReadonlyMap<number, string>;
}

const WIRE_TYPES: Partial<Record<KeyType, number>> = {
  double: 1,
  fixed64: 1,
  sfixed64: 1,
  string: 2,
  bytes: 2,
  float: 5,
  fixed32: 5,
  sfixed32: 5,
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Throws where the bytes are no message. */
export function readEntityId(keyFields: readonly KeyField[], request: Uint8Array): string {
  const values = new Map<KeyField, unknown>();
  const reader = protobuf.Reader.create(request);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = keyFields.find(({ number, type }) => tag === ((number << 3) | (WIRE_TYPES[type] ?? 0)) >>> 0);
    if (field) values.set(field, readValue(reader, field.type));
    else if (tag >>> 3 === 0) throw new Error("a field has the number 0");
    else reader.skipType(tag & 7);
  }
  return keyFields.map((field) => toText(field, values.get(field))).join("-");
}

/**
 * A text by its bytes: protobufjs cuts one short that is longer than what is left, and takes what is no UTF-8, so that two
 * requests would name one entity.
 */
function readValue(reader: protobuf.Reader, type: KeyType): unknown {
  return type === "string" ? utf8.decode(reader.bytes()) : reader[type]();
}

/** What is not there is what it is by default. */
function toText({ type, names }: KeyField, value: unknown): string {
  if (type === "string") return String(value ?? "");
  if (type === "bytes") return Buffer.from((value as Uint8Array | undefined) ?? []).toString("hex");
  if (type === "bool") return String(value ?? false);
  return names.get(Number(value ?? 0)) ?? String(value ?? 0);
}
