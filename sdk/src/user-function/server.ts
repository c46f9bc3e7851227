/**
 * The gRPC server of one program: its entities and actions, in both protocols at once. The first protocol serves a program
 * with a single event-sourced entity, the later one any number of services.
 */

import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceError,
} from "@grpc/grpc-js";
import { type ActionCommand, answerAction } from "./action-call.ts";
import { type DebugLog, openDebugLog } from "./debug-log.ts";
import { type EventSourcedIn, type EventSourcedProtocol, serveEventSourced } from "./event-sourced-stream.ts";
import { ACTION_TYPE, EVENT_SOURCED_TYPE, Program, type Served, VALUE_TYPE } from "./program.ts";
import type { EntityCall, StreamIn, StreamOut } from "./protocol/entity-stream.ts";
import {
  ACTION_PROTOCOL,
  ENTITY_DISCOVERY,
  EVENT_SOURCED,
  FIRST_ENTITY,
  type FirstSpec,
  VALUE_ENTITY,
} from "./protocol/wire.ts";
import { serveValueEntity, type ValueIn } from "./value-stream.ts";

export interface StartOptions {
  /** 0.0.0.0 unless given. */
  bindAddress?: string;
  /** A free one unless given. */
  bindPort?: number;
  /**
   * A backend that has been silent for so long is asked whether it is still there, and has as long to say so; otherwise its
   * streams are ended. 30,000 unless given.
   */
  keepaliveMs?: number;
}

/** Snapshots and requests are as large as their backend lets them be. */
const SERVER_OPTIONS = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

export class UserFunction {
  readonly #program: Program;
  readonly #log: DebugLog = openDebugLog();
  #bound: Promise<BoundServer> | undefined;

  /** @throws Error where two of the services have one name, or bring different files of one name */
  constructor(services: readonly Served[]) {
    this.#program = new Program(services);
  }

  /** Resolves to the port. Rejects where it cannot be bound, or the server runs already. */
  async start(options: StartOptions = {}): Promise<number> {
    const { bindAddress = "0.0.0.0", bindPort = 0, keepaliveMs = 30_000 } = options;
    if (this.#bound) throw new Error("The server runs already");
    const address = `${bindAddress.includes(":") ? `[${bindAddress}]` : bindAddress}:${bindPort}`;
    const bound = bind(this.#createServer(keepaliveMs), address);
    this.#bound = bound;
    try {
      const { port } = await bound;
      console.log(`Entity gRPC server started on ${bindAddress}:${port}`);
      return port;
    } catch (error) {
      if (this.#bound === bound) this.#bound = undefined;
      throw error;
    }
  }

  /** Ends all streams at once. Safe twice, without a start, and while it starts. */
  async shutdown(): Promise<void> {
    const bound = this.#bound;
    this.#bound = undefined;
    const server = await bound?.then(
      (started) => started.server,
      () => undefined,
    );
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    server.forceShutdown();
    await closed;
  }

  /** Of the actions only the unary call is served: grpc-js answers the others with UNIMPLEMENTED. */
  #createServer(keepaliveMs: number): Server {
    const keepalive = { "grpc.keepalive_time_ms": keepaliveMs, "grpc.keepalive_timeout_ms": keepaliveMs };
    const server = new Server({ ...SERVER_OPTIONS, ...keepalive });
    server.addService(FIRST_ENTITY, {
      ready: unary(() => this.#ready()),
      handle: bidi<EventSourcedIn>((call) => serveEventSourced(call, this.#firstProtocol, this.#log)),
    });
    server.addService(ENTITY_DISCOVERY, {
      discover: unary(() => this.#discover()),
      reportError: unary(({ message }: { message: string }) => reportError(message)),
    });
    server.addService(EVENT_SOURCED, {
      handle: bidi<EventSourcedIn>((call) => serveEventSourced(call, this.#laterProtocol, this.#log)),
    });
    server.addService(VALUE_ENTITY, {
      handle: bidi<ValueIn>((call) => serveValueEntity(call, (name) => this.#program.find(VALUE_TYPE, name))),
    });
    server.addService(ACTION_PROTOCOL, {
      handleUnary: unary((command: ActionCommand) =>
        answerAction(command, this.#program.find(ACTION_TYPE, command.serviceName)),
      ),
    });
    return server;
  }

  get #firstProtocol(): EventSourcedProtocol {
    return { findRules: () => this.#program.findOnlyEventSourced(), initIsOptional: true, hasForwards: false };
  }

  get #laterProtocol(): EventSourcedProtocol {
    const findRules = (name: string) => this.#program.find(EVENT_SOURCED_TYPE, name);
    return { findRules, initIsOptional: false, hasForwards: true };
  }

  #ready(): FirstSpec {
    const spec = this.#program.describeFirst();
    const { serviceName, persistenceId } = spec;
    this.#log(`Received ready, sending descriptor with service name ${serviceName} and persistenceId ${persistenceId}`);
    return spec;
  }

  #discover(): object {
    this.#log(`Received discover, sending ${this.#program.serviceNames.join(" and ")}`);
    return this.#program.describe();
  }
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

interface BoundServer {
  readonly server: Server;
  readonly port: number;
}

function bind(server: Server, address: string): Promise<BoundServer> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve({ server, port }),
    );
  });
}
