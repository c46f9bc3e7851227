/**
 * The console's listener. A port that cannot be had is an error that names it. Stop lets the answers under way go out,
 * but waits no longer than `stopWithinMs` for a client that does not take them.
 */

import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Events } from "@genserverless/shared/service/events.ts";
import { http } from "@genserverless/shared/service/http.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { listen } from "@genserverless/shared/service/listen.ts";

export interface WebServerOptions {
  app: RequestListener;
  host: string;
  /** 0 asks for any free port. */
  port: number;
  events: Events;
  stopWithinMs?: number;
  /** Those above are closed at once. */
  mostConnections?: number;
}

export class WebServer implements Part {
  readonly #options: WebServerOptions;
  #server: Server | undefined;

  constructor(options: WebServerOptions) {
    this.#options = options;
  }

  /** Where it listens, e.g. `http://127.0.0.1:5984`; absent while it does not. */
  get url(): string | undefined {
    const address = this.#server?.address() as AddressInfo | null | undefined;
    if (!address) return undefined;
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    return `http://${host}:${address.port}`;
  }

  async start(): Promise<void> {
    if (this.#server) return;
    const server = http.createServer(this.#options.app);
    server.maxConnections = this.#options.mostConnections ?? 2_048;
    this.#server = server;
    const { host, port, events } = this.#options;
    await listen(server, { host, port, setting: "SYSMON_PORT" });
    events.emit("info", "web.listening", { url: this.url });
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server?.listening) return;
    const cutOff = setTimeout(() => server.closeAllConnections(), this.#options.stopWithinMs ?? 1000);
    await new Promise((resolve) => server.close(resolve));
    clearTimeout(cutOff);
  }
}
