/** A real web app in a process of its own, to be killed and started again. */

import { join } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import { request } from "undici";
import { type Child, nodeChild } from "../tools/child.ts";

export const SECRET = "a-secret-that-both-sides-know";

export interface Seen {
  count: number;
  last: { callback: string; hasState: boolean; hasAnswers: boolean; headers: Record<string, string>; body: string }[];
}

export class WebApp {
  readonly url: string;
  readonly endpoint: string;
  readonly #port: number;
  #child: Child | undefined;

  constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.endpoint = `${this.url}/genserverless`;
  }

  static async create(): Promise<WebApp> {
    return new WebApp(await findFreePort());
  }

  get stderr(): string[] {
    return this.#child?.stderr ?? [];
  }

  async start(env: Record<string, string> = {}): Promise<void> {
    this.#child = nodeChild({
      name: "web app",
      script: join(import.meta.dirname, "app.ts"),
      env: { PORT: String(this.#port), REMOTE_SECRET: SECRET, ...env },
    });
    await this.#child.start();
    await this.#child.untilLine(/^listening/, { withinMs: 60_000 });
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  /** What it does to the next invocations. */
  async be(kind: string, times = 1_000_000): Promise<void> {
    const body = JSON.stringify({ kind, times });
    const answer = await request(`${this.url}/mood`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body,
    });
    await answer.body.dump();
  }

  async seen(): Promise<Seen> {
    return (await (await request(`${this.url}/seen`)).body.json()) as Seen;
  }

  async post(
    body: string,
    headers: Record<string, string> = {},
    query = "",
  ): Promise<{ status: number; text: string }> {
    const answer = await request(this.endpoint + query, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }
}
