/** What one program serves, and how it tells a backend of it in either protocol. */

import { readFileSync } from "node:fs";
import { status } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { ActionRules } from "./action-call.ts";
import type { EventSourcedRules } from "./awake-entity.ts";
import { describeFiles } from "./descriptor/file-descriptors.ts";
import type { ProtoFile } from "./descriptor/proto-files.ts";
import type { FirstSpec } from "./protocol/wire.ts";
import type { ValueRules } from "./value-stream.ts";

interface ServedService {
  readonly serviceName: string;
  readonly service: protobuf.Service;
  readonly protoFiles: readonly ProtoFile[];
  /** The name of the file that declares the service. */
  readonly protoFile: string;
}

interface ServedEntity {
  readonly persistenceId: string;
  readonly passivationTimeoutMs?: number | undefined;
}

export type Served = ServedService &
  (
    | (EventSourcedRules & ServedEntity & { readonly entityType: typeof EVENT_SOURCED_TYPE })
    | (ValueRules & ServedEntity & { readonly entityType: typeof VALUE_TYPE })
    | (ActionRules & { readonly entityType: typeof ACTION_TYPE })
  );

export const EVENT_SOURCED_TYPE = "cloudstate.eventsourced.EventSourced";
export const VALUE_TYPE = "cloudstate.valueentity.ValueEntity";
export const ACTION_TYPE = "cloudstate.action.ActionProtocol";

/** The later protocol's. */
const PROTOCOL_VERSION = { protocolMajor: 0, protocolMinor: 2 };
const LIBRARY = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  name: string;
  version: string;
};
const FIELD_1_DELIMITED = 10;

export class Program {
  readonly #services: readonly Served[];
  readonly #descriptors: Descriptors;

  /** @throws Error where two services have one name, or bring different files of one name */
  constructor(services: readonly Served[]) {
    this.#services = services;
    const names = this.serviceNames;
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice) throw new Error(`The service ${twice} is given twice`);
    this.#descriptors = describeServices(services);
  }

  get serviceNames(): string[] {
    return this.#services.map(({ serviceName }) => serviceName);
  }

  find<Type extends Served["entityType"]>(type: Type, serviceName: string) {
    const isSo = (served: Served): served is Extract<Served, { entityType: Type }> =>
      served.entityType === type && served.serviceName === serviceName;
    return this.#services.find(isSo);
  }

  /** Undefined where there is more, or something else: the first protocol knows of nothing more. */
  findOnlyEventSourced() {
    const [only, ...more] = this.#services;
    return more.length === 0 && only?.entityType === EVENT_SOURCED_TYPE ? only : undefined;
  }

  /** @throws Error with the status FAILED_PRECONDITION where the first protocol cannot serve it */
  describeFirst(): FirstSpec {
    const entity = this.findOnlyEventSourced();
    if (!entity) {
      const details = "The first protocol serves a program with a single event-sourced entity";
      throw Object.assign(new Error(details), { code: status.FAILED_PRECONDITION });
    }
    const { serviceName, persistenceId, protoFile } = entity;
    return { proto: this.#descriptors.get(protoFile) ?? new Uint8Array(), serviceName, persistenceId };
  }

  /** An EntitySpec of the later protocol. */
  describe(): object {
    const set = protobuf.Writer.create();
    for (const bytes of this.#descriptors.values()) set.uint32(FIELD_1_DELIMITED).bytes(bytes);
    return {
      proto: set.finish(),
      entities: this.#services.map(entityOf),
      serviceInfo: {
        serviceName: this.#services[0]?.serviceName ?? "",
        serviceRuntime: `node ${process.version}`,
        supportLibraryName: `${LIBRARY.name}/user-function`,
        supportLibraryVersion: LIBRARY.version,
        ...PROTOCOL_VERSION,
      },
    };
  }
}

/** Serialized FileDescriptorProtos by the names of their files, each behind those it imports. */
type Descriptors = ReadonlyMap<string, Uint8Array>;

function describeServices(services: readonly Served[]): Descriptors {
  const descriptors = new Map<string, Uint8Array>();
  for (const { name, bytes } of services.flatMap(({ protoFiles }) => describeFiles(protoFiles))) {
    const known = descriptors.get(name);
    if (known && !Buffer.from(known).equals(bytes)) throw new Error(`There are two different files named ${name}`);
    descriptors.set(name, bytes);
  }
  return descriptors;
}

function entityOf(served: Served): object {
  const { entityType, serviceName } = served;
  if (served.entityType === ACTION_TYPE) return { entityType, serviceName };
  const { persistenceId, passivationTimeoutMs } = served;
  if (passivationTimeoutMs === undefined) return { entityType, serviceName, persistenceId };
  const passivationStrategy = { timeout: { timeout: passivationTimeoutMs } };
  return { entityType, serviceName, persistenceId, passivationStrategy };
}
