/** Descriptors made by hand, right and wrong ones: what protoc would say of a file, with the options of others in it. */

import { createRequire } from "node:module";
import protobuf from "protobufjs";

const require = createRequire(import.meta.url);

interface MethodGiven {
  name: string;
  input?: string;
  output?: string;
  streamsIn?: boolean;
  streamsOut?: boolean;
  http?: object;
}

export interface FieldGiven {
  name: string;
  /** As descriptor.proto numbers them: 5 int32, 9 string, 11 message … */
  type?: number;
  typeName?: string;
  isRepeated?: boolean;
  /** The type of the values, as above, of a map by text. */
  map?: Pick<FieldGiven, "type" | "typeName">;
  oneof?: number;
  /** By which number it is marked as an entity key. */
  key?: 50002 | 1080;
}

export interface FileGiven {
  package: string;
  messages: Record<string, FieldGiven[]>;
  services: Record<string, MethodGiven[]>;
  /** Numbered from 0. */
  enums?: Record<string, string[]>;
}

const root = protobuf.Root.fromJSON(require("protobufjs/google/protobuf/descriptor.json"));
root.addJSON(require("protobufjs/google/api/http.json").nested);
root.lookupType("google.api.HttpRule").add(new protobuf.Field("responseBody", 12, "string"));
root
  .lookupType("google.protobuf.FieldOptions")
  .add(new protobuf.Field("key1080", 1080, "bool"))
  .add(new protobuf.Field("key50002", 50_002, "bool"));
root.lookupType("google.protobuf.MethodOptions").add(new protobuf.Field("http", 72_295_728, "google.api.HttpRule"));

/** A serialized FileDescriptorProto. */
export function encodeFile({ package: scope, messages, services, enums = {} }: FileGiven): Buffer {
  const file = {
    name: `${scope.replaceAll(".", "/")}.proto`,
    package: scope,
    syntax: "proto3",
    messageType: Object.entries(messages).map(([name, fields]) => toMessage(`.${scope}.${name}`, name, fields)),
    enumType: Object.entries(enums).map(([name, values]) => ({
      name,
      value: values.map((value, number) => ({ name: value, number })),
    })),
    service: Object.entries(services).map(([name, methods]) => ({
      name,
      method: methods.map((method) => toMethod(scope, method)),
    })),
  };
  return encode("FileDescriptorProto", file);
}

/** A serialized FileDescriptorSet of files. */
export function encodeSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.map((file) => Buffer.from(protobuf.Writer.create().uint32(10).bytes(file).finish())));
}

function toMessage(fullName: string, name: string, fields: readonly FieldGiven[]): object {
  const oneofs = Math.max(-1, ...fields.map(({ oneof = -1 }) => oneof)) + 1;
  return {
    name,
    field: fields.map((field, index) => {
      if (!field.map) return toField(field, index);
      const typeName = `${fullName}.${entryName(field)}`;
      return toField({ name: field.name, type: 11, typeName, isRepeated: true }, index);
    }),
    nestedType: fields.flatMap((field) => {
      if (!field.map) return [];
      const entry = [{ name: "key" }, { name: "value", ...field.map }];
      return [{ name: entryName(field), field: entry.map(toField), options: { mapEntry: true } }];
    }),
    oneofDecl: Array.from({ length: oneofs }, (_, index) => ({ name: `oneof_${index}` })),
  };
}

/** As protoc calls it. */
function entryName({ name }: FieldGiven): string {
  const words = name.split("_").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `${words.join("")}Entry`;
}

function toField({ name, type = 9, typeName, isRepeated, oneof, key }: FieldGiven, index: number): object {
  return {
    name,
    number: index + 1,
    type,
    label: isRepeated ? 3 : 1,
    ...(typeName && { typeName }),
    ...(oneof !== undefined && { oneofIndex: oneof }),
    ...(key && { options: { [`key${key}`]: true } }),
  };
}

function toMethod(scope: string, method: MethodGiven): object {
  const { name, input = "Request", output = "Response", streamsIn, streamsOut, http } = method;
  return {
    name,
    inputType: `.${scope}.${input}`,
    outputType: `.${scope}.${output}`,
    clientStreaming: streamsIn ?? false,
    serverStreaming: streamsOut ?? false,
    ...(http && { options: { http } }),
  };
}

function encode(name: string, message: object): Buffer {
  const type = root.lookupType(`google.protobuf.${name}`);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}
