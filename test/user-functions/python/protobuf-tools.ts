/** protoc and Python's gRPC: found on this machine, or installed through its package manager. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages } from "../../../local/src/servers.ts";

/** The folder of the published protocol. */
export const PROTOCOL = fileURLToPath(new URL("../../../sdk/proto", import.meta.url));
/** The system's own first: its packages are for that one. */
const PYTHONS = ["/usr/bin/python3", "python3"];
/** Where google's own .proto files are installed. */
const INCLUDES = ["/usr/include", "/usr/local/include", "/opt/homebrew/include"];

const COMPILER = {
  "apt-get": ["protobuf-compiler", "libprotobuf-dev"],
  dnf: ["protobuf-compiler", "protobuf-devel"],
  brew: ["protobuf"],
};
const PYTHON = {
  "apt-get": ["python3", "python3-grpcio", "python3-protobuf"],
  dnf: ["python3", "python3-grpcio", "python3-protobuf"],
};

/** The folder with google's own .proto files; `protoc` is there then. Rejects where it may not be installed. */
export async function ensureCompiler(): Promise<string> {
  if (!findIncludes()) await installPackages(COMPILER);
  const folder = findIncludes();
  if (!folder) throw new Error(`${COMPILER["apt-get"].join(" and ")} must be installed first`);
  return folder;
}

/** The Python that has gRPC. Rejects where it may not be installed. */
export async function ensurePython(): Promise<string> {
  if (!findPython()) await installPackages(PYTHON);
  const python = findPython();
  if (!python) throw new Error(`${PYTHON["apt-get"].join(" and ")} must be installed first`);
  return python;
}

function findIncludes(): string | undefined {
  if (spawnSync("protoc", ["--version"]).status !== 0) return undefined;
  return INCLUDES.find((folder) => existsSync(join(folder, "google/protobuf/any.proto")));
}

function findPython(): string | undefined {
  return PYTHONS.find((python) => spawnSync(python, ["-c", "import grpc, google.protobuf"]).status === 0);
}
