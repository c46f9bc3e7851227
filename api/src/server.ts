/**
 * The listening side of an api node, and how it leaves:
 *
 *     start()           drain()                                        stop()
 *     ───────► serving ────────► draining ───────► accepting no more ────────► stopped
 *
 * - draining: `/health` says 503 and every answer ends its connection, but all requests are served for `drainMs`, in
 *   which the load balancer notices and goes elsewhere;
 * - accepting no more: `drain` ends when the last request in flight is answered, or `LEAVE_MS` after it began;
 * - stopped: what is left is cut. Between `drain` and `stop` the parts that requests wait for are stopped, so that
 *   they have a last chance to answer with an error instead of a broken connection.
 *
 * `drain` and `stop` are safe twice, in any order and without start. That a rolling restart loses no call rests on this.
 */

import type { RequestListener, Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Events } from "@genserverless/shared/service/events.ts";
import { http } from "@genserverless/shared/service/http.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { listen } from "@genserverless/shared/service/listen.ts";
import { refuseBrokenRequest } from "./respond.ts";

/** Compose grants a node 30 s in all. */
const LEAVE_MS = 25_000;
/** For the last answers to get out. */
const FLUSH_MS = 1000;
const LOOK_MS = 20;
/** Longer than the load balancer keeps an idle connection, so that it is never cut just as it is used again. */
const KEEP_ALIVE_MS = 75_000;

export interface ServerOptions {
  app: RequestListener;
  host: string;
  /** 0 asks for any free port. */
  port: number;
  drainMs: number;
  /** What `x-served-by` says where a request is too broken to reach the app. */
  name: string;
  events: Events;
  /** Requests that were taken and not yet answered. */
  inFlight(): number;
}

export class ApiServer implements Part {
  readonly #options: ServerOptions;
  readonly #server: Server;
  #listening: Promise<void> | undefined;
  #draining: Promise<void> | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, options.app);
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
      else socket.end(refuseBrokenRequest(options.name));
    });
  }

  get isDraining(): boolean {
    return this.#draining !== undefined;
  }

  /** Where it listens, while it does. */
  get address(): AddressInfo | null {
    return this.#server.address() as AddressInfo | null;
  }

  start(): Promise<void> {
    if (this.isDraining) return Promise.resolve();
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async stop(): Promise<void> {
    await this.drain();
    await this.#untilAnswered(performance.now() + FLUSH_MS);
    this.#server.closeIdleConnections();
    await this.#untilDisconnected(performance.now() + FLUSH_MS);
    this.#server.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const { host, port, events } = this.#options;
    await listen(this.#server, { host, port, setting: "PORT" });
    events.emit("info", "http.listening", { host, port: this.address?.port });
  }

  async #drain(): Promise<void> {
    // Why listening failed is told to whoever called start.
    await this.#listening?.catch(() => {});
    if (!this.#server.listening) return;
    const deadline = performance.now() + LEAVE_MS;
    this.#options.events.emit("info", "http.draining", { inFlight: this.#options.inFlight() });
    await sleep(this.#options.drainMs);
    this.#server.close();
    await this.#untilAnswered(deadline);
  }

  async #untilAnswered(deadline: number): Promise<void> {
    while (this.#options.inFlight() > 0 && performance.now() < deadline) await sleep(LOOK_MS);
  }

  async #untilDisconnected(deadline: number): Promise<void> {
    while ((await this.#countConnections()) > 0 && performance.now() < deadline) await sleep(LOOK_MS);
  }

  #countConnections(): Promise<number> {
    return new Promise((resolve) => this.#server.getConnections((error, count) => resolve(error ? 0 : count)));
  }
}
