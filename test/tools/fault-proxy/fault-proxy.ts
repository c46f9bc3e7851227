/**
 * A TCP proxy in front of Redis that makes the network fail on purpose.
 *
 * It understands enough of the protocol to strike one command: to lose the answer of a script that has run, to cut a
 * connection in the middle of a request, to hold a request or an answer between two steps until the test lets go. And it
 * does what networks do to everybody: delay, cut, refuse, and go silent without closing.
 *
 * Every fault can be limited to connections with a certain client name. `heal` ends them all.
 */

import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { until } from "../until.ts";
import { type CommandMatch, Fault, type FaultKind, type FaultOptions, isNamed } from "./fault.ts";
import { type Conditions, ProxiedConnection } from "./proxied-connection.ts";
import type { Command } from "./resp.ts";

type ClientName = string | RegExp | undefined;

export class FaultProxy implements Part, Conditions {
  readonly #redis: { host: string; port: number };
  readonly #connections = new Set<ProxiedConnection>();
  #server: Server | undefined;
  #port = 0;
  #faults: Fault[] = [];
  #delays: { ms: number; client: ClientName }[] = [];
  #halfOpen: { client: ClientName }[] = [];

  /** Stands in front of the Redis of this url. */
  constructor(redisUrl: string) {
    const { hostname, port } = new URL(redisUrl);
    this.#redis = { host: hostname, port: Number(port || 6379) };
  }

  async start(): Promise<void> {
    if (this.#server) return;
    this.#port ||= await findFreePort();
    await this.#listen();
  }

  async stop(): Promise<void> {
    this.heal();
    this.#close();
    this.cut();
    await until(() => this.#connections.size === 0, { withinMs: 5_000, what: "every proxied connection is closed" });
  }

  get port(): number {
    return this.#port;
  }

  /** The url to give to whoever should reach Redis through here. */
  urlOf(redisUrl: string): string {
    const url = new URL(redisUrl);
    url.hostname = "127.0.0.1";
    url.port = String(this.#port);
    return url.href;
  }

  /** The names of the clients that are connected now. */
  get clientNames(): string[] {
    return [...this.#connections].filter(({ isOpen }) => isOpen).map(({ clientName }) => clientName);
  }

  /** Both ways, from now on; 0 ends it. */
  delay(ms: number, client?: string | RegExp): void {
    this.#delays = this.#delays.filter((delay) => String(delay.client) !== String(client));
    if (ms > 0) this.#delays.push({ ms, client });
  }

  /** Closes the connections that there are. */
  cut(client?: string | RegExp): void {
    for (const connection of this.#connections) if (isNamed(connection.clientName, client)) connection.cut();
  }

  /** Nobody can connect while it is on; the connections that there are go on. */
  async refuse(isRefusing: boolean): Promise<void> {
    if (isRefusing) this.#close();
    else if (!this.#server) await this.#listen();
  }

  /** Nothing passes and nothing closes while it is on; what was sent meanwhile arrives when it ends. */
  halfOpen(isOn: boolean, client?: string | RegExp): void {
    this.#halfOpen = this.#halfOpen.filter((entry) => String(entry.client) !== String(client));
    if (isOn) this.#halfOpen.push({ client });
    for (const connection of this.#connections) connection.refreshHalfOpen();
  }

  /** The command reaches Redis and runs; its answer never comes, and the connection is cut. */
  loseAnswer(match: CommandMatch, options?: FaultOptions): Fault {
    return this.#add("lose-answer", match, options);
  }

  /** Half of the command's bytes reach Redis, then the connection is cut; it never runs. */
  cutMidRequest(match: CommandMatch, options?: FaultOptions): Fault {
    return this.#add("cut-mid-request", match, options);
  }

  /** The command, and all that its connection sends after it, waits here until the fault is released. */
  holdRequest(match: CommandMatch, options?: FaultOptions): Fault {
    return this.#add("hold-request", match, options);
  }

  /** The command runs; its answer, and all that its connection gets after it, waits here until the fault is released. */
  holdAnswer(match: CommandMatch, options?: FaultOptions): Fault {
    return this.#add("hold-answer", match, options);
  }

  /** Ends every fault, delay and silence. It does not end `refuse`. */
  heal(): void {
    for (const fault of this.#faults) fault.withdraw();
    this.#faults = [];
    this.#delays = [];
    this.#halfOpen = [];
    for (const connection of this.#connections) connection.refreshHalfOpen();
  }

  delayMs(clientName: string): number {
    return Math.max(0, ...this.#delays.map(({ ms, client }) => (isNamed(clientName, client) ? ms : 0)));
  }

  isHalfOpen(clientName: string): boolean {
    return this.#halfOpen.some(({ client }) => isNamed(clientName, client));
  }

  findFault(command: Command, clientName: string): Fault | undefined {
    return this.#faults.find((fault) => fault.strikes(command, clientName));
  }

  #add(kind: FaultKind, match: CommandMatch, options: FaultOptions | undefined): Fault {
    const fault = new Fault(kind, match, options);
    this.#faults.push(fault);
    return fault;
  }

  async #listen(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    this.#server = server;
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
  }

  #close(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  #accept(client: Socket): void {
    const connection = new ProxiedConnection(client, this.#redis, this, () => this.#connections.delete(connection));
    this.#connections.add(connection);
  }
}
