/** An app that knows the secret and not the rules: it answers whatever it is told, rightly signed. */

import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { signAnswer } from "genserverless/web/signature.ts";
import { HEADERS, type ManifestEntry } from "genserverless/web/wire.ts";
import { SECRET } from "./web-app.ts";

interface Told {
  status?: number;
  body: unknown;
  nonce?: string;
}

export class FakeApp {
  /** Of the next invocations, in their order; the last one stays. */
  answers: Told[] = [];
  /** What it says it has mounted. */
  modules: readonly Partial<ManifestEntry>[];
  /** Awaited before an invocation is answered. */
  onInvocation: (envelope: Record<string, unknown>) => unknown = () => {};
  readonly invocations: Record<string, unknown>[] = [];
  readonly #server: Server;

  constructor(modules: readonly Partial<ManifestEntry>[]) {
    this.modules = modules;
    this.#server = createServer(async (req, res) => {
      const body = await text(req);
      const manifest: Told = { body: { v: 1, modules: this.modules } };
      const { status = 200, body: answer, nonce } = req.method === "GET" ? manifest : await this.#next(body);
      const answered = typeof answer === "string" ? answer : JSON.stringify(answer);
      const signature = signAnswer(SECRET, nonce ?? String(req.headers[HEADERS.nonce]), status, answered);
      res.writeHead(status, { [HEADERS.signature]: signature }).end(answered);
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/fake`;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #next(body: string): Promise<Told> {
    const envelope = JSON.parse(body) as Record<string, unknown>;
    this.invocations.push(envelope);
    await this.onInvocation(envelope);
    return (this.answers.length > 1 ? this.answers.shift() : this.answers[0]) ?? { body: null };
  }
}
