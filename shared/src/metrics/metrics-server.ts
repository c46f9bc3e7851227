/** Answers `GET /metrics`, and nothing else, on a port of its own: for nodes that have no other door. */

import type { Server } from "node:http";
import type { Registry } from "prom-client";
import type { Events } from "../service/events.ts";
import { http } from "../service/http.ts";
import type { Part } from "../service/lifecycle.ts";
import { listen } from "../service/listen.ts";

export interface MetricsServerOptions {
  registry: Registry;
  host: string;
  port: number;
  events: Events;
}

export class MetricsServer implements Part {
  readonly #options: MetricsServerOptions;
  readonly #server: Server;

  constructor(options: MetricsServerOptions) {
    const { registry } = options;
    this.#options = options;
    this.#server = http.createServer(async (request, response) => {
      if (request.url !== "/metrics" || (request.method !== "GET" && request.method !== "HEAD")) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { "content-type": registry.contentType }).end(await registry.metrics());
    });
  }

  async start(): Promise<void> {
    const { host, port, events } = this.#options;
    await listen(this.#server, { host, port, setting: "METRICS_PORT" });
    events.emit("info", "metrics.listening", { host, port });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
