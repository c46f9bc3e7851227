/**
 * The gRPC server of one program: its entities and actions, in both protocols at once. The first protocol serves a program
 * with a single event-sourced entity, the later one any number of services.
 */

import { readFileSync } from "node:fs";
import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import protobuf from "protobufjs";
import { type ActionCommand, type ActionRules, answerAction } from "./action-call.ts";
import type { EventSourcedRules } from "./awake-entity.ts";
import { type DebugLog, openDebugLog } from "./debug-log.ts";
import { describeFiles } from "./descriptor/file-descriptors.ts";
import type { ProtoFile } from "./descriptor/proto-files.ts";
import { type EventSourcedIn, type EventSourcedProtocol, serveEventSourced } from "./event-sourced-stream.ts";
import type { EntityCall, StreamIn, StreamOut } from "./protocol/entity-stream.ts";
import {
  ACTION_PROTOCOL,
  ENTITY_DISCOVERY,
  EVENT_SOURCED,
  FIRST_ENTITY,
  type FirstSpec,
  VALUE_ENTITY,
} from "./protocol/wire.ts";
import { serveValueEntity, type ValueIn, type ValueRules } from "./value-stream.ts";

export interface StartOptions {
  /** 0.0.0.0 unless given. */
  bindAddress?: string;
  /** A free one unless given. */
  bindPort?: number;
}

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
/** Snapshots and requests are as large as their backend lets them be. */
const SERVER_OPTIONS = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

export class UserFunction {
  readonly #services: readonly Served[];
  readonly #log: DebugLog = openDebugLog();
  #server: Server | undefined;

  /** @throws Error where two of the services have one name */
  constructor(services: readonly Served[]) {
    const names = services.map(({ serviceName }) => serviceName);
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice) throw new Error(`The service ${twice} is given twice`);
    this.#services = services;
  }

  /** Resolves to the port. Rejects where it cannot be bound, or the server runs already. */
  async start({ bindAddress = "0.0.0.0", bindPort = 0 }: StartOptions = {}): Promise<number> {
    if (this.#server) throw new Error("The server runs already");
    const server = this.#createServer();
    this.#server = server;
    try {
      const address = `${bindAddress.includes(":") ? `[${bindAddress}]` : bindAddress}:${bindPort}`;
      const port = await bind(server, address);
      console.log(`Entity gRPC server started on ${bindAddress}:${port}`);
      return port;
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
  }

  /** Ends all streams at once. Safe twice, and without a start. */
  async shutdown(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    server.forceShutdown();
    await closed;
  }

  /** Of the actions only the unary call is served: grpc-js answers the others with UNIMPLEMENTED. */
  #createServer(): Server {
    const server = new Server(SERVER_OPTIONS);
    const descriptors = describeServices(this.#services);
    server.addService(FIRST_ENTITY, {
      ready: unary(() => this.#ready(descriptors)),
      handle: bidi<EventSourcedIn>((call) => serveEventSourced(call, this.#firstProtocol, this.#log)),
    });
    server.addService(ENTITY_DISCOVERY, {
      discover: unary(() => this.#discover(descriptors)),
      reportError: unary(({ message }: { message: string }) => reportError(message)),
    });
    server.addService(EVENT_SOURCED, {
      handle: bidi<EventSourcedIn>((call) => serveEventSourced(call, this.#laterProtocol, this.#log)),
    });
    server.addService(VALUE_ENTITY, {
      handle: bidi<ValueIn>((call) => serveValueEntity(call, (name) => this.#find(VALUE_TYPE, name))),
    });
    server.addService(ACTION_PROTOCOL, {
      handleUnary: unary((command: ActionCommand) =>
        answerAction(command, this.#find(ACTION_TYPE, command.serviceName)),
      ),
    });
    return server;
  }

  get #firstProtocol(): EventSourcedProtocol {
    return { findRules: () => this.#onlyEventSourced(), initIsOptional: true, hasForwards: false };
  }

  get #laterProtocol(): EventSourcedProtocol {
    return { findRules: (name) => this.#find(EVENT_SOURCED_TYPE, name), initIsOptional: false, hasForwards: true };
  }

  #find<Type extends Served["entityType"]>(type: Type, serviceName: string) {
    const isSo = (served: Served): served is Extract<Served, { entityType: Type }> =>
      served.entityType === type && served.serviceName === serviceName;
    return this.#services.find(isSo);
  }

  #onlyEventSourced() {
    const [only, ...more] = this.#services;
    return more.length === 0 && only?.entityType === EVENT_SOURCED_TYPE ? only : undefined;
  }

  #ready(descriptors: Descriptors): FirstSpec {
    const entity = this.#onlyEventSourced();
    if (!entity) {
      const details = "The first protocol serves a program with a single event-sourced entity";
      throw Object.assign(new Error(details), { code: status.FAILED_PRECONDITION });
    }
    const { serviceName, persistenceId, protoFile } = entity;
    this.#log(`Received ready, sending descriptor with service name ${serviceName} and persistenceId ${persistenceId}`);
    return { proto: descriptors.get(protoFile) ?? new Uint8Array(), serviceName, persistenceId };
  }

  #discover(descriptors: Descriptors): object {
    this.#log(`Received discover, sending ${this.#services.map(({ serviceName }) => serviceName).join(" and ")}`);
    const set = protobuf.Writer.create();
    for (const bytes of descriptors.values()) set.uint32(FIELD_1_DELIMITED).bytes(bytes);
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

/** @throws Error where two services bring different files of one name */
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

function reportError(message: string): object {
  console.error(`Error reported by the proxy: ${message}`);
  return {};
}

function unary<In>(answer: (request: In) => object | Promise<object>): handleUnaryCall<In, object> {
  return async ({ request }, callback) => {
    try {
      callback(null, await answer(request));
    } catch (error) {
      callback(error as ServiceError);
    }
  };
}

function bidi<In extends StreamIn>(serve: (call: EntityCall<In>) => Promise<void>) {
  return ((call) => void serve(call)) satisfies handleBidiStreamingCall<In, StreamOut>;
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}
