/** What entities and actions have in common: a gRPC service that is declared in .proto files, and a server to be met on. */

import protobuf from "protobufjs";
import { findService } from "./command-context.ts";
import { joinProtoFiles, type ProtoFile, readProtoFiles } from "./descriptor/proto-files.ts";
import type { Served } from "./program.ts";
import { type StartOptions, UserFunction } from "./server.ts";

/** The path of a .proto file, several, or a Root that was loaded from some. */
export type ServiceFiles = string | readonly string[] | protobuf.Root;

export interface ServiceOptions {
  /** Where imports are looked for too. */
  includeDirs?: readonly string[];
}

export class UserService {
  readonly serviceName: string;
  readonly service: protobuf.Service;
  /** All message types, their fields in camel case unless it is the author's own Root. */
  readonly root: protobuf.Root;
  readonly protoFiles: readonly ProtoFile[];
  readonly protoFile: string;
  #own: UserFunction | undefined;

  /** @throws Error where a file is missing or wrong, or declares no such service */
  constructor(files: ServiceFiles, serviceName: string, { includeDirs = [] }: ServiceOptions = {}) {
    const paths = pathsOf(files);
    this.protoFiles = readProtoFiles(paths, includeDirs);
    this.root = files instanceof protobuf.Root ? files : joinProtoFiles(this.protoFiles, { keepCase: false });
    this.serviceName = serviceName;
    this.root.resolveAll();
    const service = findService(this.root, serviceName);
    if (!service) throw new Error(`The service ${serviceName} is not in ${paths.join(", ")}: give its full name`);
    this.service = service;
    const declaring = this.protoFiles.find(({ contents }) => contents.lookup(serviceName, protobuf.Service));
    if (!declaring) throw new Error(`The service ${serviceName} is not in ${paths.join(", ")}`);
    this.protoFile = declaring.name;
  }

  /** A message type by its full name: its `create` makes events and states. */
  lookupType(name: string): protobuf.Type {
    return this.root.lookupType(name);
  }

  /** Serves this service alone. Resolves to the port; `UserFunction` serves several. */
  async start(this: UserService & Served, options: StartOptions = {}): Promise<number> {
    if (this.#own) throw new Error("The server runs already");
    this.#own = new UserFunction([this]);
    try {
      return await this.#own.start(options);
    } catch (error) {
      this.#own = undefined;
      throw error;
    }
  }

  /** Safe twice, and without a start. */
  async shutdown(): Promise<void> {
    const own = this.#own;
    this.#own = undefined;
    await own?.shutdown();
  }
}

function pathsOf(files: ServiceFiles): readonly string[] {
  if (typeof files === "string") return [files];
  if (!(files instanceof protobuf.Root)) return files;
  const paths = files.files.filter((path) => !protobuf.common.get(path));
  if (paths.length === 0) throw new Error("The Root must be loaded from .proto files: their descriptor is sent");
  return paths;
}
