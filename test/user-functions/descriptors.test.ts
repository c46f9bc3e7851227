import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { describeFiles } from "../../sdk/src/user-function/descriptor/file-descriptors.ts";
import { readProtoFiles } from "../../sdk/src/user-function/descriptor/proto-files.ts";
import { ensureCompiler, PROTOCOL } from "./python/protobuf-tools.ts";

const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const FILES = [
  fileOf("protos/everything.proto"),
  fileOf("protos/old.proto"),
  fileOf("../../samples/shopping-cart/proto/shoppingcart.proto"),
  fileOf("../../samples/shopping-cart/proto/domain.proto"),
  ...["lightbend/serverless/entity.proto", "lightbend/serverless/entitykey.proto"].map((name) => join(PROTOCOL, name)),
  ...["event_sourced", "value_entity", "action", "crdt", "eventing"].map((name) =>
    join(PROTOCOL, `cloudstate/${name}.proto`),
  ),
];

/** A FileDescriptorSet's files: the tag. */
const FIELD_1 = 10;

for (const path of FILES) {
  test(`a file is described as the compiler describes it, byte for byte: ${basename(path)}`, async () => {
    const include = path.startsWith(PROTOCOL) ? PROTOCOL : dirname(path);
    const files = describeFiles(readProtoFiles([path], [include]));
    const own = files.find(({ name }) => name === path.slice(include.length + 1));
    assert.ok(own);
    assert.deepEqual(compiled(path, [include, PROTOCOL, await ensureCompiler()]), Buffer.from(own.bytes));
  });
}

test("a compiler accepts a whole set of descriptors, each file behind those it imports", async () => {
  await ensureCompiler();
  const [everything = ""] = FILES;
  const folder = mkdtempSync(join(tmpdir(), "descriptors-"));
  try {
    const set = join(folder, "set");
    writeFileSync(set, Buffer.concat(describeFiles(readProtoFiles([everything])).map(({ bytes }) => inSet(bytes))));
    const output = join(folder, "output");
    execFileSync("protoc", [`--descriptor_set_in=${set}`, `-o${output}`, basename(everything)]);
    assert.ok(readFileSync(output).includes("test.every.thing"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an edition is refused: its fields would be described as those of proto2", () => {
  const folder = mkdtempSync(join(tmpdir(), "descriptors-"));
  try {
    const path = join(folder, "edition.proto");
    writeFileSync(path, 'edition = "2023";\npackage test;\nmessage Empty {}\n');
    assert.throws(() => readProtoFiles([path]), /edition.proto: editions are not supported/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The compiler's FileDescriptorProto. */
function compiled(path: string, includes: string[]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "descriptors-"));
  try {
    const output = join(folder, "set");
    execFileSync("protoc", [...includes.map((include) => `-I${include}`), `-o${output}`, path]);
    const set = protobuf.Reader.create(readFileSync(output));
    assert.equal(set.uint32(), FIELD_1);
    return Buffer.from(set.bytes());
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function inSet(bytes: Uint8Array): Uint8Array {
  return protobuf.Writer.create().uint32(FIELD_1).bytes(bytes).finish();
}
