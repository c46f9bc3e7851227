/** The messages of both protocols, read from the published protocol files of the sdk. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const require = createRequire(import.meta.url);
const PROTOCOLS = fileURLToPath(new URL("../proto/", import.meta.resolve("genserverless/journaled.ts")));
const PROTOBUFJS = dirname(require.resolve("protobufjs/package.json"));
const FILES = ["entity", "event_sourced", "value_entity", "action"].map((name) => `cloudstate/${name}.proto`);

/** A google.protobuf.Any, with the names that protobufjs has for its fields. */
export interface AnyValue {
  type_url: string;
  value: Uint8Array;
}

export interface MetadataEntry {
  key: string;
  stringValue?: string;
  bytesValue?: Uint8Array;
}

/** How messages of one type are written and read. Reading throws where the bytes are none. */
export interface Codec<T> {
  write(message: T): Buffer;
  read(bytes: Buffer): T;
}

const root = loadProtocols();

function loadProtocols(): protobuf.Root {
  const loading = new protobuf.Root();
  loading.resolvePath = (_origin, target) => {
    return join(target.startsWith("google/protobuf/") ? PROTOBUFJS : PROTOCOLS, target);
  };
  loading.loadSync([...FILES, "lightbend/serverless/entity.proto"]);
  // Its bytes are wanted as they are: reading it would lose the options that others have added.
  const spec = loading.lookupType("lightbend.serverless.EntitySpec");
  spec.remove(spec.fields["proto"] as protobuf.Field);
  spec.add(new protobuf.Field("proto", 1, "bytes"));
  loading.resolveAll();
  return loading;
}

export function codecOf<T extends object>(typeName: string): Codec<T> {
  const type = root.lookupType(typeName);
  return {
    write: (message) => Buffer.from(type.encode(type.create(message)).finish()),
    read: (bytes) => type.decode(bytes) as unknown as T,
  };
}
