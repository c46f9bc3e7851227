/**
 * Reads what a user function says of its services: a FileDescriptorSet, or a single FileDescriptorProto. What is wanted of
 * it – services, key fields, HTTP rules – is read with a copy of descriptor.proto that knows the options of others; the
 * bytes themselves are kept, for reflection and for JSON.
 */

import { createRequire } from "node:module";
import protobuf from "protobufjs";
import { KEY_TYPES, type KeyField } from "./entity-key.ts";
import { type HttpRule, readHttpRules } from "./http-rules.ts";

const require = createRequire(import.meta.url);

export class DescriptorError extends Error {
  override name = "DescriptorError";
}

export interface Method {
  name: string;
  /** `/package.Service/Method`. */
  path: string;
  /** Full names of messages, without a dot before them. */
  inputType: string;
  outputType: string;
  isStreamed: boolean;
  /** Which fields of the input name the entity, in the order of their declaration. */
  keyFields: readonly KeyField[];
  /** Why its key fields cannot be used. */
  keyFault: string | undefined;
  httpRules: readonly HttpRule[];
}

export interface Service {
  /** With its package. */
  name: string;
  methods: readonly Method[];
}

export interface DescriptorFile {
  /** A serialized FileDescriptorProto, as it came. */
  bytes: Uint8Array;
  imports: readonly string[];
}

export interface Descriptor {
  services: ReadonlyMap<string, Service>;
  /** By name. */
  files: ReadonlyMap<string, DescriptorFile>;
  /** In which file a service, method, message, field or enum is declared, by its full name. */
  symbols: ReadonlyMap<string, string>;
  /** A serialized FileDescriptorSet. */
  set: Uint8Array;
}

interface FieldProto {
  name: string;
  number: number;
  label: number;
  type: number;
  typeName: string;
  options?: { entityKey: boolean; legacyEntityKey: boolean } | null;
}

interface EnumProto {
  name: string;
  value: { name: string; number: number }[];
}

interface MessageProto {
  name: string;
  field: FieldProto[];
  nestedType: MessageProto[];
  enumType: EnumProto[];
}

interface MethodProto {
  name: string;
  inputType: string;
  outputType: string;
  clientStreaming: boolean;
  serverStreaming: boolean;
  options?: { http?: object | null } | null;
}

interface FileProto {
  name: string;
  dependency: string[];
  package: string;
  messageType: MessageProto[];
  enumType: EnumProto[];
  service: { name: string; method: MethodProto[] }[];
}

/** Field 1 of a FileDescriptorSet, length-delimited. */
const FILE_TAG = 10;
const LABEL_REPEATED = 3;

const FileDescriptorProto = loadDescriptorProto().lookupType("google.protobuf.FileDescriptorProto");

function loadDescriptorProto(): protobuf.Root {
  const root = protobuf.Root.fromJSON(require("protobufjs/google/protobuf/descriptor.json"));
  root.addJSON(require("protobufjs/google/api/http.json").nested);
  // Younger than what protobufjs has.
  root.lookupType("google.api.HttpRule").add(new protobuf.Field("responseBody", 12, "string"));
  root
    .lookupType("google.protobuf.FieldOptions")
    .add(new protobuf.Field("entityKey", 1080, "bool"))
    .add(new protobuf.Field("legacyEntityKey", 50_002, "bool"));
  root.lookupType("google.protobuf.MethodOptions").add(new protobuf.Field("http", 72_295_728, "google.api.HttpRule"));
  return root;
}

/** A single file, as the first protocol sends it. Throws DescriptorError. */
export function readDescriptorFile(file: Uint8Array): Descriptor {
  return readDescriptorSet(protobuf.Writer.create().uint32(FILE_TAG).bytes(file).finish());
}

/** Throws DescriptorError. */
export function readDescriptorSet(set: Uint8Array): Descriptor {
  try {
    const read = splitSet(set).map((bytes) => ({ bytes, file: decodeFile(bytes) }));
    if (!read.some(({ file }) => file.name)) throw new DescriptorError("it names no file");
    const files = new Map(read.map(({ bytes, file }) => [file.name, { bytes, imports: file.dependency }]));
    const decoded = read.map(({ file }) => file);
    return { services: readServices(decoded), files, symbols: listSymbols(decoded), set };
  } catch (error) {
    throw new DescriptorError(`what should be a descriptor is none: ${(error as Error).message}`);
  }
}

function decodeFile(bytes: Uint8Array): FileProto {
  return FileDescriptorProto.decode(bytes) as unknown as FileProto;
}

function listSymbols(files: readonly FileProto[]): Map<string, string> {
  const symbols = new Map<string, string>();
  for (const file of files) {
    const note = (...names: string[]) => symbols.set(names.filter(Boolean).join("."), file.name);
    const noteTypes = (scope: string, { messageType, enumType }: Pick<FileProto, "messageType" | "enumType">) => {
      for (const { name, value } of enumType) {
        note(scope, name);
        for (const one of value) note(scope, one.name);
      }
      for (const message of messageType) {
        const name = join(scope, message.name);
        note(name);
        for (const field of message.field) note(name, field.name);
        noteTypes(name, { messageType: message.nestedType, enumType: message.enumType });
      }
    };
    noteTypes(file.package, file);
    for (const { name, method } of file.service) {
      note(file.package, name);
      for (const one of method) note(file.package, name, one.name);
    }
  }
  return symbols;
}

function splitSet(set: Uint8Array): Uint8Array[] {
  const reader = protobuf.Reader.create(set);
  const files: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === FILE_TAG) files.push(reader.bytes());
    else reader.skipType(tag & 7);
  }
  return files;
}

function readServices(files: readonly FileProto[]): Map<string, Service> {
  const messages = new Map<string, MessageProto>();
  const enums = new Map<string, EnumProto>();
  const collect = (scope: string, { messageType, enumType }: Pick<FileProto, "messageType" | "enumType">) => {
    for (const one of enumType) enums.set(join(scope, one.name), one);
    for (const message of messageType) {
      const name = join(scope, message.name);
      messages.set(name, message);
      collect(name, { messageType: message.nestedType, enumType: message.enumType });
    }
  };
  for (const file of files) collect(file.package, file);
  const services = new Map<string, Service>();
  for (const file of files) {
    for (const service of file.service) {
      const name = join(file.package, service.name);
      const methods = service.method.map((method) => readMethod(name, method, messages, enums));
      services.set(name, { name, methods });
    }
  }
  return services;
}

function readMethod(
  service: string,
  method: MethodProto,
  messages: ReadonlyMap<string, MessageProto>,
  enums: ReadonlyMap<string, EnumProto>,
): Method {
  const { name, clientStreaming, serverStreaming, options } = method;
  const inputType = withoutDot(method.inputType);
  const keys = (messages.get(inputType)?.field ?? []).filter(
    ({ options: own }) => own?.entityKey || own?.legacyEntityKey,
  );
  const unusable = keys.find(({ label, type }) => label === LABEL_REPEATED || !KEY_TYPES.has(type));
  return {
    name,
    path: `/${service}/${name}`,
    inputType,
    outputType: withoutDot(method.outputType),
    isStreamed: clientStreaming || serverStreaming,
    keyFields: keys.map((field) => toKeyField(field, enums)),
    keyFault: unusable && `the entity key ${inputType}.${unusable.name} is neither text, number, bool, bytes nor enum`,
    httpRules: readHttpRules(options?.http),
  };
}

function toKeyField(field: FieldProto, enums: ReadonlyMap<string, EnumProto>): KeyField {
  const { name, number } = field;
  const type = KEY_TYPES.get(field.type) ?? "string";
  const values = enums.get(withoutDot(field.typeName))?.value ?? [];
  return { name, number, type, names: new Map(values.map((value) => [value.number, value.name])) };
}

function withoutDot(name: string): string {
  return name.startsWith(".") ? name.slice(1) : name;
}

function join(scope: string, name: string): string {
  return scope ? `${scope}.${name}` : name;
}
