/**
 * A Redis, gateway nodes and user functions for one test file, each an operating-system process of its own. With
 * `apis` the cluster has api nodes too, whose HTTP API shows what the gateway keeps.
 */

import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { Child } from "../tools/child.ts";
import { TestCluster } from "../tools/test-cluster.ts";
import { Text } from "./model/messages.ts";

const ROOT = join(import.meta.dirname, "../..");
const MODEL = join(import.meta.dirname, "model/user-function.ts");
const UP_WITHIN_MS = 30_000;

type Env = Record<string, string>;
const asTheyAre = (bytes: Buffer) => bytes;

export class GatewayCluster {
  readonly cluster: TestCluster;
  readonly #children: Child[] = [];
  readonly #clients: Client[] = [];

  constructor({ apis = 0 } = {}) {
    this.cluster = new TestCluster({ apis, workers: apis > 0 ? 1 : 0 });
  }

  async start(): Promise<void> {
    await this.cluster.start();
  }

  async stop(): Promise<void> {
    await this.stopNodes();
    await this.cluster.stop();
  }

  /** Stops gateways and user functions, and leaves Redis and the rest. */
  async stopNodes(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    const [gateways, others] = [true, false].map((isOne) =>
      this.#children.filter(({ name }) => name.startsWith("gateway-") === isOne),
    );
    await Promise.all((gateways ?? []).map((child) => child.stop()));
    await Promise.all((others ?? []).map((child) => child.stop()));
    this.#children.length = 0;
  }

  /** A user function; it listens on `port`. */
  async startModel(port: number, env: Env = {}): Promise<Child> {
    const model = this.#add(`model-${port}`, MODEL, { PORT: String(port), ...env });
    await model.start();
    await model.untilRecord(({ msg }) => msg === "listening", { withinMs: UP_WITHIN_MS, what: "it listens" });
    return model;
  }

  /** A user function, and a gateway that serves it and waits 3 s for its answers. */
  async startServed(): Promise<{ model: Child; gateway: Gateway }> {
    const port = await findFreePort();
    const model = await this.startModel(port);
    const gateway = await this.startGateway(port, { RELAY_TIMEOUT_MS: "3000" });
    await gateway.untilOpen();
    return { model, gateway };
  }

  /** Any program of the tree; it may not be up yet. */
  async startProgram(name: string, script: string, args: string[] = [], env: Env = {}): Promise<Child> {
    const child = this.#add(name, join(ROOT, script), env, args);
    await child.start();
    return child;
  }

  /** A gateway that may still wait for its user function. */
  async startGateway(userFunctionPort: number, env: Env = {}): Promise<Gateway> {
    const port = await findFreePort();
    const child = this.#add(`gateway-${port}`, join(ROOT, "gateway/src/main.ts"), {
      REDIS_URL: this.cluster.redisUrl,
      KEY_PREFIX: this.cluster.keyPrefix,
      SESSION_TTL_MS: "2000",
      NODE_NAME: `gateway-${port}`,
      GATEWAY_PORT: String(port),
      USER_FUNCTION: `127.0.0.1:${userFunctionPort}`,
      BACKOFF_MIN_MS: "100",
      BACKOFF_MAX_MS: "300",
      DRAIN_MS: "50",
      ...env,
    });
    await child.start();
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    this.#clients.push(client);
    return new Gateway(child, port, client);
  }

  #add(name: string, script: string, env: Env, args: string[] = []): Child {
    const child = new Child({ name, command: process.execPath, args: [script, ...args], cwd: ROOT, env });
    this.#children.push(child);
    return child;
  }
}

/** One gateway node, and a client of it. */
export class Gateway {
  readonly child: Child;
  readonly port: number;
  readonly client: Client;

  constructor(child: Child, port: number, client: Client) {
    this.child = child;
    this.port = port;
    this.client = client;
  }

  async untilOpen(): Promise<void> {
    await this.child.untilRecord(({ msg }) => msg === "gateway.listening", {
      withinMs: UP_WITHIN_MS,
      what: "it listens",
    });
  }

  /** The text of the model's response. Rejects with a gRPC ServiceError. */
  async call(request: Buffer, { method = "/model.Model/Process", withinMs = 20_000 } = {}): Promise<string> {
    return Text.read(await this.callRaw(request, { method, withinMs })).message;
  }

  /** When it settles, what was printed before the answer was sent has been read, which two turns of the event loop do. */
  callRaw(
    request: Buffer,
    { method = "/model.Model/Process", withinMs = 20_000, metadata = {} } = {},
  ): Promise<Buffer> {
    const options = { deadline: Date.now() + withinMs };
    const sent = new Metadata();
    for (const [key, value] of Object.entries(metadata)) sent.add(key, String(value));
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(method, asTheyAre, asTheyAre, request, sent, options, (error, answer) => {
        const settle = () => (error ? reject(error) : resolve(answer as Buffer));
        setImmediate(() => setImmediate(settle));
      });
    });
  }

  /** The status and text with which a call fails. */
  async fail(request: Buffer, options: { method?: string; withinMs?: number } = {}): Promise<[number, string]> {
    try {
      const text = await this.call(request, options);
      throw new Error(`the call succeeded: ${text}`);
    } catch (error) {
      const { code, details } = error as ServiceError;
      if (code === undefined) throw error;
      return [code, details];
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
}
