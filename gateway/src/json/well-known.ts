/** The types of google.protobuf that have a JSON of their own. */

import protobuf from "protobufjs";
import { JsonError } from "./json-error.ts";

type Fields = Record<string, unknown>;
type Print = (type: protobuf.Type, message: object) => unknown;
type Read = (type: protobuf.Type, json: unknown, path: string) => object;

interface WellKnown {
  print(type: protobuf.Type, message: Fields, print: Print): unknown;
  read(type: protobuf.Type, json: unknown, path: string, read: Read): object;
}

const NANOS = 1_000_000_000;
const WRAPPERS = ["Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes"];

const RULES: ReadonlyMap<string, WellKnown> = new Map<string, WellKnown>([
  ["Timestamp", { print: printTimestamp, read: readTimestamp }],
  ["Duration", { print: printDuration, read: readDuration }],
  ["FieldMask", { print: printMask, read: readMask }],
  ["Struct", { print: (_, message) => printStruct(message), read: (_, json, path) => readStruct(json, path) }],
  ["Value", { print: (_, message) => printAnything(message), read: (_, json) => readAnything(json) }],
  ["ListValue", { print: (_, message) => printList(message), read: (_, json, path) => readList(json, path) }],
  ["Any", { print: printAny, read: readAny }],
  ...WRAPPERS.map((name): [string, WellKnown] => [`${name}Value`, { print: printWrapped, read: readWrapped }]),
]);

export function isWellKnown({ fullName }: protobuf.Type): boolean {
  return ruleOf(fullName) !== undefined;
}

export function printWellKnown(type: protobuf.Type, message: Fields, print: Print): unknown {
  return ruleOf(type.fullName)?.print(type, message, print);
}

/** Throws JsonError. */
export function readWellKnown(type: protobuf.Type, json: unknown, path: string, read: Read): object {
  return ruleOf(type.fullName)?.read(type, json, path, read) ?? {};
}

function ruleOf(fullName: string): WellKnown | undefined {
  const prefix = ".google.protobuf.";
  return fullName.startsWith(prefix) ? RULES.get(fullName.slice(prefix.length)) : undefined;
}

function printTimestamp(_type: protobuf.Type, { seconds, nanos }: Fields): string {
  const date = new Date(Number(seconds ?? 0) * 1_000).toISOString().slice(0, -5);
  return `${date}${printFraction(Number(nanos ?? 0))}Z`;
}

function readTimestamp(_type: protobuf.Type, json: unknown, path: string): object {
  const text = typeof json === "string" ? json : "";
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = Date.parse(`${found?.[1]}${found?.[3]}`);
  if (!found || Number.isNaN(ms)) throw new JsonError(`${path} must be a time like 2026-01-31T12:00:00Z`);
  return { seconds: String(ms / 1_000), nanos: Number((found[2] ?? "").padEnd(9, "0")) };
}

function printDuration(_type: protobuf.Type, { seconds, nanos }: Fields): string {
  const isNegative = Number(seconds ?? 0) < 0 || Number(nanos ?? 0) < 0;
  const whole = Math.abs(Number(seconds ?? 0));
  return `${isNegative ? "-" : ""}${whole}${printFraction(Math.abs(Number(nanos ?? 0)))}s`;
}

function readDuration(_type: protobuf.Type, json: unknown, path: string): object {
  const text = typeof json === "string" ? json : "";
  const [, sign = "", seconds, fraction = ""] = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(text) ?? [];
  if (seconds === undefined) throw new JsonError(`${path} must be a duration like 1.5s`);
  const factor = sign ? -1 : 1;
  return { seconds: String(factor * Number(seconds)), nanos: factor * Number(fraction.padEnd(9, "0")) };
}

/** None, or 3, 6 or 9 digits. */
function printFraction(nanos: number): string {
  if (nanos === 0) return "";
  const digits = String(nanos % NANOS).padStart(9, "0");
  return `.${digits.replace(/(000){1,2}$/, "")}`;
}

function printMask(_type: protobuf.Type, { paths }: Fields): string {
  const toCamel = (path: string) => path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return ((paths ?? []) as string[]).map(toCamel).join(",");
}

function readMask(_type: protobuf.Type, json: unknown, path: string): object {
  if (typeof json !== "string") throw new JsonError(`${path} must be a text of fields`);
  const toSnake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { paths: json.split(",").filter(Boolean).map(toSnake) };
}

/** Its fields are a map, or the list of entries that a descriptor makes of it. */
function printStruct({ fields }: Fields): Fields {
  const entries = Array.isArray(fields)
    ? (fields as { key?: string; value?: Fields }[]).map(({ key = "", value = {} }): [string, Fields] => [key, value])
    : Object.entries((fields ?? {}) as Record<string, Fields>);
  return Object.fromEntries(entries.map(([key, value]) => [key, printAnything(value)]));
}

function printList({ values }: Fields): unknown[] {
  return ((values ?? []) as Fields[]).map(printAnything);
}

function printAnything(value: Fields): unknown {
  const [kind] = Object.keys(value);
  const held = kind === undefined ? null : value[kind];
  if (/^struct_?value$/i.test(kind ?? "")) return printStruct(held as Fields);
  if (/^list_?value$/i.test(kind ?? "")) return printList(held as Fields);
  return /^null_?value$/i.test(kind ?? "") ? null : held;
}

function readStruct(json: unknown, path: string): object {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new JsonError(`${path} must be an object`);
  return { fields: Object.entries(json).map(([key, value]) => ({ key, value: readAnything(value) })) };
}

function readList(json: unknown, path: string): object {
  if (!Array.isArray(json)) throw new JsonError(`${path} must be a list`);
  return { values: json.map(readAnything) };
}

/** With the names that a descriptor gives. */
function readAnything(json: unknown): object {
  if (json === null) return { null_value: 0 };
  if (typeof json === "number") return { number_value: json };
  if (typeof json === "string") return { string_value: json };
  if (typeof json === "boolean") return { bool_value: json };
  return Array.isArray(json) ? { list_value: readList(json, "") } : { struct_value: readStruct(json, "") };
}

function printWrapped(type: protobuf.Type, message: Fields, print: Print): unknown {
  const { value } = print(asPlain(type), message) as Fields;
  return value;
}

function readWrapped(type: protobuf.Type, json: unknown, path: string, read: Read): object {
  return read(asPlain(type), { value: json }, path);
}

/** The same fields under a name that has no JSON of its own. */
function asPlain(type: protobuf.Type): protobuf.Type {
  const known = plain.get(type);
  if (known) return known;
  const made = protobuf.Type.fromJSON("Wrapped", type.toJSON());
  new protobuf.Root().add(made).resolveAll();
  plain.set(type, made);
  return made;
}

const plain = new WeakMap<protobuf.Type, protobuf.Type>();

function printAny(type: protobuf.Type, message: Fields, print: Print): unknown {
  const typeUrl = String(message["type_url"] ?? "");
  if (!typeUrl) return {};
  const held = lookUp(type, typeUrl);
  const printed = print(held, held.decode((message["value"] as Uint8Array | undefined) ?? Buffer.alloc(0)));
  return isWellKnown(held) ? { "@type": typeUrl, value: printed } : { "@type": typeUrl, ...(printed as object) };
}

function readAny(type: protobuf.Type, json: unknown, path: string, read: Read): object {
  const { "@type": typeUrl, ...rest } = Object(json) as Fields;
  if (typeUrl === undefined && Object.keys(rest).length === 0) return {};
  if (typeof typeUrl !== "string") throw new JsonError(`${path} must be an object with an @type`);
  const held = lookUp(type, typeUrl);
  const message = read(held, isWellKnown(held) ? rest["value"] : rest, path);
  return { type_url: typeUrl, value: held.encode(message).finish() };
}

function lookUp({ root }: protobuf.Type, typeUrl: string): protobuf.Type {
  try {
    return root.lookupType(typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
  } catch {
    throw new JsonError(`the type ${typeUrl} is not in the descriptor`);
  }
}
