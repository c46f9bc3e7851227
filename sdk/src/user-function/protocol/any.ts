/**
 * Payloads as google.protobuf.Any: messages under their full name, and, where no message type is wanted, the later
 * protocol's forms for plain values: a message whose field 1 holds a string, a number, a boolean, bytes, or JSON text.
 */

import protobuf from "protobufjs";

export interface AnyValue {
  readonly type_url: string;
  readonly value: Uint8Array;
}

type MessageLike = object & { readonly $type?: protobuf.Type };

const MESSAGES = "type.googleapis.com/";
const PRIMITIVES = "p.cloudstate.io/";
const JSON_OBJECTS = "json.cloudstate.io/";
/** Wire types of field 1: varint, 64 bits, length-delimited. */
const FIELD_1 = { varint: 8, double: 9, delimited: 10 };

/** @throws Error where the value has no form: a plain object needs a message type, or a `type` in the way of JSON. */
export function assertHasForm(value: unknown): void {
  const isPlain = ["string", "boolean", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array;
  if (!isPlain && !messageTypeOf(value)) jsonTypeOf(value);
}

/** @throws Error where the value has no form */
export function encodeAny(value: unknown): AnyValue {
  switch (typeof value) {
    case "string":
      return primitive("string", (writer) => writer.uint32(FIELD_1.delimited).string(value));
    case "boolean":
      return primitive("bool", (writer) => writer.uint32(FIELD_1.varint).bool(value));
    case "number":
      return primitive("double", (writer) => writer.uint32(FIELD_1.double).double(value));
    case "bigint":
      return primitive("int64", (writer) => writer.uint32(FIELD_1.varint).int64(String(value)));
  }
  if (value instanceof Uint8Array) {
    return primitive("bytes", (writer) => writer.uint32(FIELD_1.delimited).bytes(value));
  }
  const type = messageTypeOf(value);
  return type ? encodeAs(type, value as object) : encodeJson(value);
}

/** A message of this type, from one or from a plain object. */
export function encodeAs(type: protobuf.Type, value: object): AnyValue {
  if (Array.isArray(value)) throw new Error(`A list is given where a ${nameOf(type)} is wanted`);
  const given = messageTypeOf(value);
  if (given && given !== type) throw new Error(`A ${nameOf(given)} is given where a ${nameOf(type)} is wanted`);
  return { type_url: `${MESSAGES}${nameOf(type)}`, value: type.encode(type.fromObject(value)).finish() };
}

/** @throws Error where the type is unknown, or the bytes are not of it */
export function decodeAny(root: protobuf.Root, any: AnyValue | null | undefined): unknown {
  if (!any?.type_url) throw new Error("There is no payload");
  const name = typeNameOf(any);
  if (any.type_url.startsWith(PRIMITIVES)) return decodePrimitive(name, bytesOf(any));
  if (any.type_url.startsWith(JSON_OBJECTS)) return JSON.parse(String(decodePrimitive("string", bytesOf(any))));
  return decodeWhole(root.lookupType(name), bytesOf(any));
}

/** @throws Error where the payload is of another type, or its bytes are not of this one */
export function decodeAs(type: protobuf.Type, any: AnyValue | null | undefined): object {
  if (!any?.type_url) throw new Error("There is no payload");
  if (typeNameOf(any) !== nameOf(type)) throw new Error(`A ${typeNameOf(any)} came where a ${nameOf(type)} is wanted`);
  return decodeWhole(type, bytesOf(any));
}

export function typeNameOf({ type_url }: AnyValue): string {
  return type_url.slice(type_url.lastIndexOf("/") + 1);
}

function nameOf(type: protobuf.Type): string {
  return type.fullName.slice(1);
}

/** protobufjs takes what there is of a last string that is cut off: the fields are counted out before. */
function decodeWhole(type: protobuf.Type, bytes: Uint8Array): protobuf.Message {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) reader.skipType(reader.uint32() & 7);
  return type.decode(bytes);
}

/** protobufjs has an empty array for bytes that did not come, and cannot read that. */
function bytesOf({ value }: AnyValue): Uint8Array {
  return value.length === 0 ? new Uint8Array() : value;
}

function primitive(name: string, write: (writer: protobuf.Writer) => protobuf.Writer): AnyValue {
  return { type_url: `${PRIMITIVES}${name}`, value: write(protobuf.Writer.create()).finish() };
}

function messageTypeOf(value: unknown): protobuf.Type | undefined {
  return typeof value === "object" && value !== null ? (value as MessageLike).$type : undefined;
}

function jsonTypeOf(value: unknown): string {
  const type = (value as { type?: unknown } | null | undefined)?.type;
  if (typeof type === "string" && type !== "") return type;
  throw new Error("What is stored or sent is a message of a known type, or a JSON object that has a type");
}

function encodeJson(value: unknown): AnyValue {
  const type = jsonTypeOf(value);
  const text = JSON.stringify(value, inStableOrder);
  const bytes = protobuf.Writer.create().uint32(FIELD_1.delimited).string(text).finish();
  return { type_url: `${JSON_OBJECTS}${type}`, value: bytes };
}

function inStableOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function decodePrimitive(name: string, bytes: Uint8Array): unknown {
  const reader = protobuf.Reader.create(bytes);
  const isThere = reader.len > 0 && reader.uint32() > 0;
  switch (name) {
    case "string":
      return isThere ? reader.string() : "";
    case "bytes":
      return isThere ? reader.bytes() : new Uint8Array();
    case "bool":
      return isThere && reader.bool();
    case "double":
      return isThere ? reader.double() : 0;
    case "int64":
      return BigInt(isThere ? String(reader.int64()) : 0);
  }
  throw new Error(`The plain type ${name} is unknown`);
}
