/**
 * Reads .proto files together with all that they import. An import is looked for beside the importing file, in the folders
 * given, in this package's `proto` folder, and among the google files that protobufjs brings along.
 */

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

export interface ProtoFile {
  /** As others import it. */
  readonly name: string;
  readonly imports: readonly string[];
  readonly syntax: string;
  /** Only what this file declares, with the names of fields as they are written; its types are not resolved. */
  readonly contents: protobuf.Root;
  readonly addTo: (root: protobuf.Root, options: protobuf.IParseOptions) => void;
}

const OWN_PROTOS = fileURLToPath(new URL("../../../proto", import.meta.url));
const BUNDLED_PROTOS = dirname(createRequire(import.meta.url).resolve("protobufjs/package.json"));
const DESCRIPTOR_FILE = "google/protobuf/descriptor.proto";

/**
 * The files and all their imports, each behind those it imports; descriptor.proto is always among them.
 *
 * @throws Error where a file is missing, cannot be parsed, or is of an edition
 */
export function readProtoFiles(paths: readonly string[], includeDirs: readonly string[] = []): ProtoFile[] {
  const reader = new ProtoReader(paths, includeDirs);
  for (const path of paths) reader.readEntry(resolve(path));
  reader.readImport(DESCRIPTOR_FILE, BUNDLED_PROTOS);
  return reader.files;
}

/** All files in one root, resolved. Fields are named in camel case, or with `keepCase` as they are written. */
export function joinProtoFiles(files: readonly ProtoFile[], options: { keepCase: boolean }): protobuf.Root {
  const root = new protobuf.Root();
  for (const file of files) file.addTo(root, options);
  root.resolveAll();
  return root;
}

class ProtoReader {
  readonly files: ProtoFile[] = [];
  readonly #entries: readonly string[];
  readonly #includeDirs: readonly string[];
  readonly #read = new Set<string>();

  constructor(paths: readonly string[], includeDirs: readonly string[]) {
    this.#entries = paths.map((path) => resolve(path));
    this.#includeDirs = includeDirs;
  }

  /** A file that is not imported by another is known by the last part of its path. */
  readEntry(path: string): void {
    const folder = this.#includeDirs.map((dir) => `${resolve(dir)}/`).find((dir) => path.startsWith(dir));
    this.#readSource(folder ? path.slice(folder.length) : basename(path), path);
  }

  readImport(name: string, fromFolder: string): void {
    const bundled = protobuf.common.get(name);
    if (bundled) {
      if (this.#isNew(name)) this.files.push(bundledFile(name, bundled));
      return;
    }
    const folders = [fromFolder, ...this.#includeDirs, OWN_PROTOS, BUNDLED_PROTOS];
    const path =
      folders.map((folder) => resolve(folder, name)).find((file) => existsSync(file)) ??
      this.#entries.find((entry) => entry.endsWith(`/${name}`));
    if (!path) throw new Error(`The import ${name} is not found`);
    this.#readSource(name, path);
  }

  #readSource(name: string, path: string): void {
    if (!this.#isNew(path)) return;
    const source = readFileSync(path, "utf8");
    if (/^\s*edition\s*=/m.test(source)) throw new Error(`${path}: editions are not supported, only proto2 and proto3`);
    const contents = new protobuf.Root();
    const { imports = [], weakImports = [] } = parse(path, source, contents, { keepCase: true });
    for (const imported of [...imports, ...weakImports]) this.readImport(imported, dirname(path));
    this.files.push({
      name,
      imports: [...imports, ...weakImports],
      syntax: /^\s*syntax\s*=\s*["'](\w+)["']/m.exec(source)?.[1] ?? "proto2",
      contents,
      addTo: (root, options) => parse(path, source, root, options),
    });
  }

  #isNew(file: string): boolean {
    if (this.#read.has(file)) return false;
    this.#read.add(file);
    return true;
  }
}

function parse(path: string, source: string, root: protobuf.Root, options: protobuf.IParseOptions) {
  const parser = protobuf.parse as typeof protobuf.parse & { filename: string | null };
  parser.filename = path;
  return protobuf.parse(source, root, options);
}

function bundledFile(name: string, json: protobuf.INamespace): ProtoFile {
  return {
    name,
    imports: [],
    syntax: "proto3",
    contents: protobuf.Root.fromJSON(json),
    addTo: (root) => root.addJSON(json.nested ?? {}),
  };
}

/** The path of one of this package's own files. */
export function ownProto(name: string): string {
  return join(OWN_PROTOS, name);
}
