/**
 * Messages as JSON, by the rules of proto3: names in camel case, 64-bit numbers as text, bytes as base64, enums by name,
 * what has a default and no presence always printed. What is read may use the names of the descriptor too.
 */

import protobuf from "protobufjs";
import { JsonError } from "./json-error.ts";
import { isWellKnown, printWellKnown, readWellKnown } from "./well-known.ts";

type Fields = Record<string, unknown>;

const LONG_TYPES = new Set(["int64", "uint64", "sint64", "fixed64", "sfixed64"]);
const INTEGER_TYPES = new Set(["int32", "uint32", "sint32", "fixed32", "sfixed32"]);
const UNSIGNED_TYPES = new Set(["uint32", "fixed32", "uint64", "fixed64"]);

export function toCamelCase(name: string): string {
  return name.replace(/_+([^_])/g, (_, character: string) => character.toUpperCase());
}

/** The field of this name, in either spelling. */
export function findField(type: protobuf.Type, name: string): protobuf.Field | undefined {
  return type.fieldsArray.find((field) => field.name === name || toCamelCase(field.name) === name);
}

export function isMessage(field: protobuf.Field): boolean {
  return field.resolvedType instanceof protobuf.Type;
}

/** The message that is the entry of a map, where the field is one: protobufjs has read it as a list of these. */
function entryOf({ repeated, resolvedType, parent, name }: protobuf.Field): protobuf.Type | undefined {
  const isEntry =
    repeated &&
    resolvedType instanceof protobuf.Type &&
    resolvedType.parent === parent &&
    resolvedType.getOption("map_entry") === true &&
    resolvedType.name.toLowerCase() === `${toCamelCase(name)}entry`.toLowerCase();
  return isEntry ? (resolvedType as protobuf.Type) : undefined;
}

/** What a decoded message is as JSON. */
export function printMessage(type: protobuf.Type, message: object): unknown {
  if (isWellKnown(type)) return printWellKnown(type, message as Fields, printMessage);
  const fields = message as Fields;
  const printed: Fields = {};
  for (const field of type.fieldsArray) {
    const isSet = Object.hasOwn(message, field.name);
    const hasPresence = field.partOf !== null || (isMessage(field) && !field.repeated);
    if (isSet || !hasPresence) printed[toCamelCase(field.name)] = printField(field, fields[field.name]);
  }
  return printed;
}

/** A field, all of a list or map. */
export function printField(field: protobuf.Field, value: unknown): unknown {
  const entry = entryOf(field);
  if (entry) return printMap(entry, value as Fields[]);
  if (field.repeated) return ((value ?? []) as unknown[]).map((one) => printValue(field, one));
  return printValue(field, value ?? field.defaultValue);
}

function printMap({ fields }: protobuf.Type, entries: readonly Fields[]): Fields {
  const { key: keyField, value: valueField } = fields as { key: protobuf.Field; value: protobuf.Field };
  return Object.fromEntries(
    (entries ?? []).map(({ key, value }) => {
      const isDefault = value === undefined || value === null;
      const held = isDefault && isMessage(valueField) ? {} : (value ?? valueField.defaultValue);
      return [String(key ?? keyField.defaultValue), printValue(valueField, held)];
    }),
  );
}

function printValue({ type, resolvedType }: protobuf.Field, value: unknown): unknown {
  if (resolvedType instanceof protobuf.Type) return printMessage(resolvedType, value as object);
  if (resolvedType instanceof protobuf.Enum) return resolvedType.valuesById[Number(value)] ?? Number(value);
  if (type === "bytes") return Buffer.from((value as Uint8Array | undefined) ?? []).toString("base64");
  if (LONG_TYPES.has(type)) return String(value);
  if (type === "double" || type === "float") return Number.isFinite(value) ? printNumber(type, value) : String(value);
  return value;
}

/** A float has no more digits than it takes to tell it from others. */
function printNumber(type: string, value: unknown): number {
  if (type === "double") return Number(value);
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(Number(value).toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value);
}

/** What the message is as protobufjs encodes it. Throws JsonError. */
export function readMessage(type: protobuf.Type, json: unknown, path = ""): object {
  if (isWellKnown(type)) return readWellKnown(type, json, path, readMessage);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new JsonError(`${path || "the body"} must be an object`);
  }
  const message: Fields = {};
  for (const [name, value] of Object.entries(json)) {
    const field = findField(type, name);
    const where = path ? `${path}.${name}` : name;
    if (!field) throw new JsonError(`${where} is no field of ${type.fullName.slice(1)}`);
    const isNull = value === null && !(field.resolvedType?.fullName === ".google.protobuf.Value");
    if (isNull) continue;
    const rival = field.partOf?.oneof.find((other) => other !== field.name && Object.hasOwn(message, other));
    if (rival) throw new JsonError(`${where} and ${toCamelCase(rival)} exclude each other`);
    message[field.name] = readField(field, value, where);
  }
  return message;
}

/** A field, all of a list or map. Throws JsonError. */
export function readField(field: protobuf.Field, value: unknown, path: string): unknown {
  const entry = entryOf(field);
  if (entry) return readMap(entry, value, path);
  if (!field.repeated) return readValue(field, value, path);
  if (!Array.isArray(value)) throw new JsonError(`${path} must be a list`);
  return value.map((one, index) => readValue(field, one, `${path}[${index}]`));
}

function readMap({ fields }: protobuf.Type, value: unknown, path: string): Fields[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new JsonError(`${path} must be an object`);
  }
  const { key: keyField, value: valueField } = fields as { key: protobuf.Field; value: protobuf.Field };
  return Object.entries(value).map(([key, one]) => ({
    key: readValue(keyField, key, `${path}, its key`),
    value: readValue(valueField, one, `${path}.${key}`),
  }));
}

/** Text is taken for a number or a truth value too: in a path and a query there is nothing else. */
function readValue({ type, resolvedType }: protobuf.Field, value: unknown, path: string): unknown {
  if (resolvedType instanceof protobuf.Type) return readMessage(resolvedType, value, path);
  if (resolvedType instanceof protobuf.Enum) return readEnum(resolvedType, value, path);
  if (type === "string") return check(typeof value === "string" && value.isWellFormed(), value, path, "a text");
  if (type === "bytes") return readBytes(value, path);
  if (type === "bool") {
    return check(typeof value === "boolean" || value === "true" || value === "false", value, path, "true or false") ===
      "false"
      ? false
      : Boolean(value);
  }
  if (LONG_TYPES.has(type)) return readLong(type, value, path);
  return readNumber(type, value, path);
}

function readEnum({ name, values, valuesById }: protobuf.Enum, value: unknown, path: string): number {
  if (typeof value === "string" && Object.hasOwn(values, value)) return values[value] as number;
  const number = typeof value === "string" && value !== "" ? Number(value) : value;
  const isWhole = typeof number === "number" && (number | 0) === number;
  if (isWhole && (typeof value === "number" || number in valuesById)) {
    return number;
  }
  throw new JsonError(`${path} must be a ${name}: ${Object.keys(values).join(", ")}`);
}

function readBytes(value: unknown, path: string): Buffer {
  const isBase64 = typeof value === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/.test(value);
  return Buffer.from(String(check(isBase64, value, path, "base64")), "base64");
}

function readLong(type: string, value: unknown, path: string): string {
  const what = UNSIGNED_TYPES.has(type) ? "a whole number of 64 bits from 0" : "a whole number of 64 bits";
  const isText = typeof value === "string" && /^-?\d{1,20}$/.test(value);
  check(isText || Number.isSafeInteger(value), value, path, what);
  const number = BigInt(value as string | number);
  const isRight = UNSIGNED_TYPES.has(type)
    ? BigInt.asUintN(64, number) === number
    : BigInt.asIntN(64, number) === number;
  return String(check(isRight, number, path, what));
}

function readNumber(type: string, value: unknown, path: string): number {
  const given = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  const number = typeof given === "number" ? given : undefined;
  if (!INTEGER_TYPES.has(type)) {
    const isNamed = value === "NaN" || value === "Infinity" || value === "-Infinity";
    return check(isNamed || Number.isFinite(number), number, path, "a number") as number;
  }
  const isUnsigned = UNSIGNED_TYPES.has(type);
  const what = isUnsigned ? "a whole number of 32 bits from 0" : "a whole number of 32 bits";
  const isWhole = number !== undefined && (isUnsigned ? number >>> 0 : number | 0) === number;
  return check(isWhole, number, path, what) as number;
}

function check(isRight: boolean, value: unknown, path: string, what: string): unknown {
  if (isRight) return value;
  throw new JsonError(`${path} must be ${what}`);
}
