/**
 * The door of the service. Whoever comes in has the token. It leaves in this order: new requests are refused, what is
 * under way is answered, and then connections are closed.
 */

import { hash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TOKEN_HEADER } from "@genserverless/shared/functions/access.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { listen } from "@genserverless/shared/service/listen.ts";
import { Problem } from "../problems.ts";
import type { Router } from "./router.ts";
import { createRouter, type Handler, type Parts, readRunPath } from "./routes.ts";
import { runHttp, sendProblem } from "./run-http.ts";

const LEAVE_MS = 20_000;
const LOOK_MS = 20;
const KEEP_ALIVE_MS = 75_000;
const BEARER = /^Bearer +([^ ]+) *$/i;

export interface FunctionsServerOptions {
  host: string;
  /** 0 asks for any free port. */
  port: number;
  token: string;
  parts: Parts;
  events: Events;
}

export class FunctionsServer implements Part {
  readonly #options: FunctionsServerOptions;
  readonly #server: Server;
  readonly #router: Router<Handler>;
  readonly #token: Buffer;
  #inFlight = 0;
  #isDraining = false;

  constructor(options: FunctionsServerOptions) {
    this.#options = options;
    this.#router = createRouter(options.parts);
    this.#token = digest(options.token);
    // How long a function may take is its manifest's to say.
    this.#server = createServer(
      { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 },
      (req, res) => void this.#take(req, res),
    );
    this.#server.on("upgrade", (req, socket) => this.#refuseUpgrade(req, socket as Socket));
  }

  get address(): AddressInfo | null {
    return this.#server.address() as AddressInfo | null;
  }

  async start(): Promise<void> {
    const { host, port, events } = this.#options;
    await listen(this.#server, { host, port, setting: "FUNCTIONS_PORT" });
    events.emit("info", "http.listening", { host, port: this.address?.port });
  }

  async stop(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (const stream of this.#options.parts.streams) stream.end();
    await this.#options.parts.leases.revoke(() => true);
    const deadline = performance.now() + LEAVE_MS;
    while (this.#inFlight > 0 && performance.now() < deadline) await sleep(LOOK_MS);
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    this.#inFlight++;
    try {
      await this.#answer(req, res);
    } catch (error) {
      sendProblem(res, this.#toProblem(error));
    } finally {
      this.#inFlight--;
    }
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { url = "/", method = "GET" } = req;
    const { parts } = this.#options;
    if (url === "/health")
      return sendJson(res, this.#isDraining ? 503 : 200, { status: this.#isDraining ? "draining" : "ok" });
    this.#authorize(req);
    if (this.#isDraining) throw new Problem("draining", "this service is about to leave");
    const run = readRunPath(parts, url);
    if (run) return runHttp(await parts.pools.find(run.target, true), parts.figures, { req, res, path: run.path });
    const { handler, params } = this.#router.match(method, url.split("?")[0] ?? "/");
    const answer = await handler({ req, res, params });
    if (answer) sendJson(res, answer.status, answer.json);
  }

  /** The token comes in a header of its own where Authorization is the function's. Throws `unauthorized`. */
  #authorize(req: IncomingMessage): void {
    const own = req.headers[TOKEN_HEADER];
    const given = typeof own === "string" ? own : BEARER.exec(req.headers.authorization ?? "")?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), this.#token)) return;
    throw new Problem("unauthorized", `send Authorization: Bearer <token>, or ${TOKEN_HEADER}: <token>`);
  }

  #refuseUpgrade(req: IncomingMessage, socket: Socket): void {
    socket.on("error", () => {});
    const problem = new Problem(
      "upgrade_unsupported",
      `functions answer requests; they take no ${req.headers.upgrade}`,
    );
    const body = JSON.stringify(problem.toDocument());
    const head = [
      "HTTP/1.1 501 Not Implemented",
      "content-type: application/problem+json",
      `content-length: ${Buffer.byteLength(body)}`,
      `x-function-problem: ${problem.code}`,
      "connection: close",
    ];
    socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
  }

  #toProblem(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof ClusterError && error.code === "invalid_request")
      return new Problem("invalid_request", error.message);
    this.#options.events.emit("error", "request.failed", { error: String((error as Error).stack ?? error) });
    return new Problem("internal_error", "the error is in the log of the functions service");
  }
}

function sendJson(res: ServerResponse, status: number, json: unknown): void {
  if (res.headersSent || res.destroyed) return;
  const body = json === undefined ? "" : JSON.stringify(json);
  const type =
    json === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  res.writeHead(status, type).end(body);
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
