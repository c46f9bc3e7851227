/**
 * Describes parsed .proto files as a compiler does: FileDescriptorProtos with the fields as they are written, and with all
 * options, custom ones too. Comments and the options of single enum values are left out.
 */

import protobuf from "protobufjs";
import { joinProtoFiles, type ProtoFile } from "./proto-files.ts";

interface DescribedFile {
  readonly name: string;
  /** A serialized google.protobuf.FileDescriptorProto. */
  readonly bytes: Uint8Array;
}

type Fields = Record<string, unknown>;

const SCALARS = Object.entries({
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  bytes: 12,
  uint32: 13,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
});
const SCALAR_TYPES = new Map(SCALARS);
const TYPE_GROUP = 10;
const TYPE_MESSAGE = 11;
const TYPE_ENUM = 14;
const LABEL_OPTIONAL = 1;
const LABEL_REQUIRED = 2;
const LABEL_REPEATED = 3;

/** One descriptor for each file, in the same order. */
export function describeFiles(files: readonly ProtoFile[]): DescribedFile[] {
  const root = joinProtoFiles(files, { keepCase: true });
  const descriptorType = root.lookupType("google.protobuf.FileDescriptorProto");
  return files.map((file) => ({
    name: file.name,
    bytes: descriptorType.encode(descriptorType.fromObject(new FileDescriber(root, file).describe())).finish(),
  }));
}

class FileDescriber {
  readonly #root: protobuf.Root;
  readonly #file: ProtoFile;

  constructor(root: protobuf.Root, file: ProtoFile) {
    this.#root = root;
    this.#file = file;
  }

  describe(): Fields {
    const { name, imports, syntax, contents } = this.#file;
    const own = packageOf(contents);
    const declared = this.#declaredIn(own);
    return {
      name,
      package: own.fullName.slice(1),
      dependency: imports,
      ...this.#nested(declared, { enums: "enum_type", messages: "message_type" }),
      service: declared.filter((object) => object instanceof protobuf.Service).map((it) => this.#service(it)),
      ...this.#options(own, "FileOptions"),
      ...(syntax === "proto2" ? {} : { syntax }),
    };
  }

  /** The same declarations, with their types resolved. */
  #declaredIn(own: protobuf.NamespaceBase): protobuf.ReflectionObject[] {
    return own.nestedArray.map(({ fullName }) => {
      const found = this.#root.lookup(fullName);
      if (!found) throw new Error(`${fullName} is declared in ${this.#file.name} and not found`);
      return found;
    });
  }

  #nested(objects: readonly protobuf.ReflectionObject[], names: { enums: string; messages: string }): Fields {
    return {
      [names.messages]: objects.filter((it) => it instanceof protobuf.Type).map((it) => this.#message(it)),
      [names.enums]: objects.filter((it) => it instanceof protobuf.Enum).map((it) => this.#enum(it)),
      extension: objects.filter((it) => it instanceof protobuf.Field).map((it) => this.#field(it)),
    };
  }

  #message(type: protobuf.Type): Fields {
    const fields = type.fieldsArray.filter((field) => !field.declaringField);
    const nested = this.#nested(type.nestedArray, { enums: "enum_type", messages: "nested_type" });
    const maps = fields.filter((field) => field instanceof protobuf.MapField);
    const oneofs = oneofsOf(type);
    return {
      name: type.name,
      field: fields.map((field) => this.#field(field, oneofs)),
      ...nested,
      nested_type: [...maps.map((field) => this.#mapEntry(field)), ...(nested["nested_type"] as Fields[])],
      extension_range: rangesOf(type.extensions).map(([start, end]) => ({ start, end: afterLast(end) })),
      oneof_decl: oneofs.map(({ name }) => ({ name })),
      reserved_range: rangesOf(type.reserved).map(([start, end]) => ({ start, end: afterLast(end) })),
      reserved_name: namesOf(type.reserved),
      ...this.#options(type, "MessageOptions"),
    };
  }

  #mapEntry(field: protobuf.MapField): Fields {
    const entry = { label: LABEL_OPTIONAL };
    return {
      name: entryName(field),
      field: [
        { ...entry, name: "key", json_name: "key", number: 1, type: SCALAR_TYPES.get(field.keyType) },
        { ...entry, name: "value", json_name: "value", number: 2, ...typeOf(field) },
      ],
      options: { map_entry: true },
    };
  }

  #field(field: protobuf.Field, oneofs: readonly protobuf.OneOf[] = []): Fields {
    const name = this.#writtenName(field);
    const map = field.map ? (field as protobuf.FieldBase as protobuf.MapField) : undefined;
    const oneofIndex = field.partOf ? oneofs.indexOf(field.partOf) : -1;
    const value = field.options?.["default"];
    return {
      name,
      json_name: String(field.options?.["json_name"] ?? jsonNameOf(name)),
      number: field.id,
      label: field.map || field.repeated ? LABEL_REPEATED : field.required ? LABEL_REQUIRED : LABEL_OPTIONAL,
      ...(map ? { type: TYPE_MESSAGE, type_name: `${map.parent?.fullName}.${entryName(map)}` } : typeOf(field)),
      ...(field.extend ? { extendee: this.#extendedBy(field) } : {}),
      ...(value === undefined ? {} : { default_value: String(value) }),
      ...(oneofIndex >= 0 ? { oneof_index: oneofIndex } : {}),
      ...(field.options?.["proto3_optional"] ? { proto3_optional: true } : {}),
      ...this.#options(field, "FieldOptions"),
    };
  }

  /** protobufjs' own copies of google's files have some names in camel case. */
  #writtenName(field: protobuf.Field): string {
    const isBundled = protobuf.common.get(this.#file.name) !== null;
    return isBundled ? field.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : field.name;
  }

  #extendedBy(field: protobuf.Field): string {
    const extended = field.parent?.lookup(field.extend ?? "", protobuf.Type);
    if (!extended) throw new Error(`${field.fullName} extends ${field.extend}, which is not found`);
    return extended.fullName;
  }

  #enum(declared: protobuf.Enum): Fields {
    return {
      name: declared.name,
      value: Object.entries(declared.values).map(([name, number]) => ({ name, number })),
      reserved_range: rangesOf(declared.reserved).map(([start, end]) => ({ start, end })),
      reserved_name: namesOf(declared.reserved),
      ...this.#options(declared, "EnumOptions"),
    };
  }

  #service(service: protobuf.Service): Fields {
    return {
      name: service.name,
      method: service.methodsArray.map((method) => this.#method(method)),
      ...this.#options(service, "ServiceOptions"),
    };
  }

  #method(method: protobuf.Method): Fields {
    method.resolve();
    return {
      name: method.name,
      input_type: method.resolvedRequestType?.fullName,
      output_type: method.resolvedResponseType?.fullName,
      ...(method.requestStream ? { client_streaming: true } : {}),
      ...(method.responseStream ? { server_streaming: true } : {}),
      ...this.#options(method, "MethodOptions"),
    };
  }

  #options(object: protobuf.ReflectionObject, typeName: string): { options?: Fields } {
    const type = this.#root.lookupType(`google.protobuf.${typeName}`);
    const written = ((object.parsedOptions ?? []) as Fields[]).flatMap((option) => Object.entries(option));
    const options: Fields = {};
    for (const [name, value] of written) {
      const field = this.#optionField(object, type, name);
      if (!field) continue;
      const shaped = shapeValue(field, value);
      options[field.name] = field.repeated ? [...((options[field.name] as unknown[]) ?? []), shaped].flat() : shaped;
    }
    return Object.keys(options).length > 0 ? { options } : {};
  }

  /** Undefined where protobufjs takes for an option what a descriptor has elsewhere, such as json_name. */
  #optionField(object: protobuf.ReflectionObject, type: protobuf.Type, name: string): protobuf.Field | undefined {
    if (!name.startsWith("(")) return type.fields[name];
    const scope = this.#root.lookup((object.parent ?? this.#root).fullName) as protobuf.NamespaceBase | null;
    const extension = (scope ?? this.#root).lookup(name.slice(1, -1), protobuf.Field);
    const field = extension && type.fields[extension.fullName];
    if (!field) throw new Error(`The option ${name} of ${object.fullName} is not found`);
    return field;
  }
}

/** The innermost namespace that holds the whole file. */
function packageOf(contents: protobuf.Root): protobuf.NamespaceBase {
  let own: protobuf.NamespaceBase = contents;
  for (;;) {
    const [only, ...more] = own.nestedArray;
    if (only?.constructor !== protobuf.Namespace || more.length > 0) return own;
    own = only as protobuf.Namespace;
  }
}

/** Those that protobufjs makes of `optional` fields are last, as compilers want it. */
function oneofsOf(type: protobuf.Type): protobuf.OneOf[] {
  const isSynthetic = (oneof: protobuf.OneOf) => Boolean(oneof.fieldsArray[0]?.options?.["proto3_optional"]);
  return type.oneofsArray.toSorted((one, other) => Number(isSynthetic(one)) - Number(isSynthetic(other)));
}

function typeOf(field: protobuf.FieldBase): Fields {
  const scalar = SCALAR_TYPES.get(field.type);
  if (scalar !== undefined) return { type: scalar };
  const { resolvedType } = field.resolve();
  const isGroup = (resolvedType as { group?: boolean } | null)?.group;
  const type = resolvedType instanceof protobuf.Enum ? TYPE_ENUM : isGroup ? TYPE_GROUP : TYPE_MESSAGE;
  return { type, type_name: resolvedType?.fullName };
}

/** As `fromObject` takes it: lists where a field is repeated, however often it is written. */
function shapeValue(field: protobuf.Field, value: unknown): unknown {
  if (field.repeated && Array.isArray(value)) return value.map((each) => shapeValue(field, each));
  const { resolvedType } = field.resolve();
  if (!(resolvedType instanceof protobuf.Type) || typeof value !== "object" || value === null) return value;
  const shaped = Object.entries(value).map(([name, inner]) => {
    const innerField = resolvedType.fields[name];
    if (!innerField) throw new Error(`${resolvedType.fullName} has no field ${name}`);
    const innerValue = shapeValue(innerField, inner);
    return [name, innerField.repeated ? [innerValue].flat() : innerValue];
  });
  return Object.fromEntries(shaped);
}

function entryName(field: protobuf.MapField): string {
  const name = jsonNameOf(field.name);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}Entry`;
}

function jsonNameOf(name: string): string {
  return name.replace(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}

function afterLast(last: number): number {
  return last + 1;
}

function rangesOf(reserved: readonly (number[] | string)[] | undefined): [number, number][] {
  return (reserved ?? []).filter((each) => typeof each !== "string") as [number, number][];
}

function namesOf(reserved: readonly (number[] | string)[] | undefined): string[] {
  return (reserved ?? []).filter((each) => typeof each === "string");
}
