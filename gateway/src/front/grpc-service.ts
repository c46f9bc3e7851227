/**
 * The user function's services over gRPC, byte by byte as they are: a request becomes a command, what comes back is sent on.
 * With reflection and health. One is made for each description of the services; it takes connections, it does not listen.
 */

import type { Socket } from "node:net";
import {
  type ConnectionInjector,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import type { Served, Spec } from "../discovery/spec.ts";
import type { TextEntry } from "../entity/command-content.ts";
import { toBase64 } from "../entity/command-content.ts";
import type { Commands } from "./commands.ts";
import type { CallFailure } from "./failures.ts";
import { addReflection } from "./reflection.ts";

const asTheyAre = (bytes: Buffer) => bytes;
/** What is gRPC's or HTTP's own, and no metadata of the application. */
const RESERVED =
  /^(:|grpc-|te$|content-(type|length|encoding)$|user-agent$|(proxy-)?connection$|keep-alive$|transfer-encoding$|upgrade$|http2-settings$)/;
/** What is larger as a header ends the client's whole connection. Each byte of a text may become three. */
const MOST_TEXT_BYTES = 4_000;
const MOST_METADATA_BYTES = 8_000;
const LONGEST_DEADLINE_MS = 2 ** 31 - 1;

export class GrpcService {
  readonly #server = new Server({ "grpc.max_send_message_length": -1, "grpc.enable_channelz": 0 });
  readonly #injector: ConnectionInjector;
  readonly #health: HealthImplementation;
  readonly #commands: Commands;
  /** "" is the gateway as a whole. */
  readonly #names: readonly string[];
  #isServing = true;

  constructor(spec: Spec, commands: Commands) {
    this.#commands = commands;
    const names = [...spec.services.keys()];
    for (const served of spec.services.values()) this.#serve(served);
    addReflection(this.#server, spec.descriptor, names);
    this.#names = ["", ...names];
    this.#health = new HealthImplementation(Object.fromEntries(this.#names.map((name) => [name, "SERVING"])));
    this.#health.addToServer(this.#server);
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  take(connection: Socket): void {
    this.#injector.injectConnection(connection);
  }

  /** What health says of every service, until it is told otherwise. */
  setServing(isServing: boolean): void {
    if (isServing === this.#isServing) return;
    this.#isServing = isServing;
    for (const name of this.#names) this.#health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  }

  /** Tells clients to go elsewhere; calls under way may end within `graceMs`. */
  drain(graceMs: number): void {
    this.#injector.drain(graceMs);
  }

  close(): void {
    this.#injector.destroy();
    this.#server.forceShutdown();
  }

  #serve({ service, methods }: Served): void {
    for (const { name, path } of methods.values()) {
      const handle = (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        void this.#handle(service.name, name, call, callback);
      };
      this.#server.register(path, handle, asTheyAre, asTheyAre, "unary");
    }
  }

  async #handle(
    serviceName: string,
    commandName: string,
    call: ServerUnaryCall<Buffer, Buffer>,
    callback: sendUnaryData<Buffer>,
  ): Promise<void> {
    try {
      const command = {
        serviceName,
        commandName,
        payload: toBase64(call.request),
        metadata: readMetadata(call.metadata),
      };
      const { payload, metadata } = await this.#commands.run(command, readDeadline(call));
      call.sendMetadata(toMetadata(metadata));
      callback(null, Buffer.from(payload));
    } catch (error) {
      const { status: code, message } = error as CallFailure;
      callback({ code: code ?? status.INTERNAL, details: cutText(message) });
    }
  }
}

/** In ms from now; undefined where the client waits for as long as it takes. */
function readDeadline(call: ServerUnaryCall<Buffer, Buffer>): number | undefined {
  const deadline = call.getDeadline();
  const ms = deadline instanceof Date ? deadline.getTime() - Date.now() : deadline - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(1, ms), LONGEST_DEADLINE_MS) : undefined;
}

function readMetadata(metadata: Metadata): TextEntry[] {
  return Object.keys(metadata.getMap())
    .filter((key) => !RESERVED.test(key))
    .flatMap((key) =>
      metadata
        .get(key)
        .map((value) => (typeof value === "string" ? { key, text: value } : { key, bytes: toBase64(value) })),
    );
}

/** Entries that gRPC does not take, and those that are too many, are left out. */
function toMetadata(entries: readonly TextEntry[]): Metadata {
  const metadata = new Metadata();
  let room = MOST_METADATA_BYTES;
  for (const { key, text = "", bytes } of entries) {
    room -= key.length + (bytes ?? text).length;
    if (room < 0) return metadata;
    try {
      const isSent = !RESERVED.test(key.toLowerCase());
      if (isSent) metadata.add(key, bytes === undefined ? text : Buffer.from(bytes, "base64"));
    } catch {}
  }
  return metadata;
}

function cutText(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length > MOST_TEXT_BYTES ? `${bytes.toString("utf8", 0, MOST_TEXT_BYTES)}…` : bytes.toString();
}
