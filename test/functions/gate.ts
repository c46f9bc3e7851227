/** A server of a test's own that functions ask while they are built or run: it counts what comes, and says when it goes on. */

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";

type Verdict = 200 | 500;

export class Gate implements Part {
  /** The paths that were asked for, in order. */
  readonly seen: string[] = [];
  readonly #waiting: ServerResponse[] = [];
  #verdict: Verdict | undefined = 200;
  readonly #server = createServer((req, res) => {
    this.seen.push(req.url ?? "");
    if (this.#verdict === undefined) this.#waiting.push(res);
    else res.writeHead(this.#verdict).end();
  });

  async start(): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(0, "127.0.0.1", listening));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Whoever asks from now on waits. */
  shut(): void {
    this.#verdict = undefined;
  }

  /** Answers whoever waits, and whoever asks from now on. */
  open(verdict: Verdict = 200): void {
    this.#verdict = verdict;
    for (const res of this.#waiting.splice(0)) res.writeHead(verdict).end();
  }

  count(path: string): number {
    return this.seen.filter((each) => each === path).length;
  }

  /** An expression that asks it, and throws where it says no. */
  ask(path: string): string {
    const { port } = this.#server.address() as AddressInfo;
    const url = JSON.stringify(`http://127.0.0.1:${port}${path}`);
    return `await fetch(${url}).then(({ ok }) => { if (!ok) throw new Error("the gate says no"); })`;
  }
}
