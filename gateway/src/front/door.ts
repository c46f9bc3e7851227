/**
 * The public port. It takes HTTP/2 with prior knowledge, which is gRPC, and HTTP/1.1, which is JSON: the first bytes of a
 * connection say which. It listens from the first discovery on.
 */

import { once } from "node:events";
import type { Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Events } from "@genserverless/shared/service/events.ts";
import { http } from "@genserverless/shared/service/http.ts";
import { listen } from "@genserverless/shared/service/listen.ts";
import type { GrpcService } from "./grpc-service.ts";
import type { HttpHandler } from "./http-service.ts";

export interface DoorOptions {
  host: string;
  /** 0 asks for any free port. */
  port: number;
  isPortShared: boolean;
  drainMs: number;
  events: Events;
  inFlight(): number;
  handle: HttpHandler;
}

const PREFACE = Buffer.from("PRI * HTTP/2");
/** For a client to say its first word. */
const FIRST_WORD_MS = 10_000;
const LEAVE_MS = 25_000;
const LOOK_MS = 20;
const KEEP_ALIVE_MS = 75_000;
/** For calls of clients that were told that the services have changed. */
const REPLACED_MS = 60_000;

export class Door {
  readonly #options: DoorOptions;
  readonly #server: Server;
  readonly #http: HttpServer;
  readonly #sockets = new Set<Socket>();
  readonly #replaced = new Set<GrpcService>();
  #grpc: GrpcService | undefined;
  #isDraining = false;
  #listening: Promise<void> | undefined;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#take(socket));
    this.#http = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      if (this.#isDraining) response.setHeader("connection", "close");
      void options.handle(request, response);
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get address(): AddressInfo | null {
    return this.#server.address() as AddressInfo | null;
  }

  /** Serves this from now on, and listens if it does not yet. Throws SettingError where the port cannot be had. */
  async open(grpc: GrpcService): Promise<void> {
    if (this.#isDraining) {
      grpc.close();
      return;
    }
    const before = this.#grpc;
    this.#grpc = grpc;
    if (before) this.#replace(before);
    this.#listening ??= this.#listen();
    try {
      await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
  }

  /** Takes no more, and waits for what is in flight. */
  async close(): Promise<void> {
    this.#isDraining = true;
    await this.#listening?.catch(() => {});
    if (this.#server.listening) {
      const { drainMs, inFlight, events } = this.#options;
      events.emit("info", "gateway.draining", { inFlight: inFlight() });
      const endsAt = performance.now() + LEAVE_MS;
      this.#grpc?.drain(LEAVE_MS);
      await sleep(drainMs);
      this.#server.close();
      while (inFlight() > 0 && performance.now() < endsAt) await sleep(LOOK_MS);
      // For the last answers to get out.
      await sleep(LOOK_MS);
    }
    for (const grpc of [this.#grpc, ...this.#replaced]) grpc?.close();
    this.#http.close();
    this.#http.closeAllConnections();
    for (const socket of this.#sockets) socket.destroy();
  }

  async #listen(): Promise<void> {
    const { host, port, isPortShared: isShared, events } = this.#options;
    await listen(this.#server as HttpServer, { host, port, setting: "GATEWAY_PORT", isShared });
    // It takes connections from here, but has to watch over how long they take.
    this.#http.emit("listening");
    events.emit("info", "gateway.listening", { host, port: this.address?.port });
  }

  #replace(grpc: GrpcService): void {
    this.#replaced.add(grpc);
    grpc.drain(REPLACED_MS);
    setTimeout(() => {
      this.#replaced.delete(grpc);
      grpc.close();
    }, REPLACED_MS).unref();
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Whoever takes the connection listens for itself; until then a broken one is nobody's.
    const ignore = () => {};
    socket.on("error", ignore);
    const timer = setTimeout(() => socket.destroy(), FIRST_WORD_MS);
    socket.once("close", () => clearTimeout(timer));
    this.#listenFor(socket).then(
      (isHttp2) => {
        clearTimeout(timer);
        if (isHttp2) this.#grpc?.take(socket);
        else this.#http.emit("connection", socket);
      },
      () => socket.destroy(),
    );
  }

  /** Whether the client speaks HTTP/2. What was read is put back. */
  async #listenFor(socket: Socket): Promise<boolean> {
    let heard = Buffer.alloc(0);
    for (;;) {
      const chunk = socket.read() as Buffer | null;
      if (chunk) heard = Buffer.concat([heard, chunk]);
      const length = Math.min(heard.length, PREFACE.length);
      const mayBe = heard.subarray(0, length).equals(PREFACE.subarray(0, length));
      if (!mayBe || length === PREFACE.length) {
        socket.unshift(heard);
        return mayBe;
      }
      if (socket.readableEnded || socket.destroyed) throw new Error("it said nothing");
      await Promise.race([once(socket, "readable"), once(socket, "end"), once(socket, "close")]);
    }
  }
}
