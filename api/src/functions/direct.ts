/**
 * A request to a sandbox that this node has for itself. It goes as through the service: so does the answer, and so do the
 * problems. Only a request that is here as a whole goes this way, so it may be sent another way where the sandbox
 * was never reached.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { filterHeaders, readRawHeaders } from "@genserverless/shared/functions/raw-headers.ts";
import type { Dispatcher } from "undici";
import type { Lease } from "./lease.ts";

export interface DirectRequest {
  name: string;
  /** As the function sees it, with its query. */
  path: string;
  method: string;
  headers: string[];
  body: Buffer | null;
  /** Name, value …, added to the answer. */
  more: readonly string[];
}

export type DirectEnd = { status: number } | { problem: DirectProblem } | "unreached";

/** As the functions service would have answered. */
export interface DirectProblem {
  code: "function_threw" | "function_died" | "function_timeout" | "bad_answer";
  detail: string;
  members: Record<string, unknown>;
}

const MOST_WORDS = 1_000;

/** Gives the lease back, or ends it. Never rejects. */
export function askDirectly(lease: Lease, res: ServerResponse, asked: DirectRequest): Promise<DirectEnd> {
  return new Promise((resolve) => {
    const exchange = new Exchange(lease, res, asked, resolve);
    exchange.begin();
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly #lease: Lease;
  readonly #res: ServerResponse;
  readonly #asked: DirectRequest;
  readonly #resolve: (end: DirectEnd) => void;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  /** What the function threw, where it did before it had answered. */
  #thrown: string | undefined;
  #isOver = false;
  #isLate = false;

  constructor(lease: Lease, res: ServerResponse, asked: DirectRequest, resolve: (end: DirectEnd) => void) {
    this.#lease = lease;
    this.#res = res;
    this.#asked = asked;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#cut(), lease.timeoutMs);
  }

  begin(): void {
    const { path, method, headers, body } = this.#asked;
    this.#res.on("drain", this.#resume).once("close", this.#resume);
    this.#lease.client.dispatch({ path, method: method as Dispatcher.HttpMethod, headers, body }, this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: object, words?: string): void {
    if (status < 200) return;
    this.#status = status;
    if ("x-function-threw" in headers) {
      this.#thrown = "";
      return;
    }
    if (this.#res.destroyed) return;
    this.#res.writeHead(status, words, [...readHeaders(controller), ...this.#asked.more]);
    // Whoever takes its time to say more has said this.
    if (!("content-length" in headers)) this.#res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#thrown !== undefined) {
      if (this.#thrown.length < MOST_WORDS) this.#thrown += chunk;
    } else if (!this.#res.destroyed && !this.#res.write(chunk)) {
      controller.pause();
    }
  }

  onResponseEnd(): void {
    const thrown = this.#thrown;
    this.#finish();
    const ms = performance.now() - this.#startedAt;
    this.#lease.giveBack([thrown === undefined && this.#status < 500 ? "completed" : "failed", ms]);
    if (thrown === undefined) {
      this.#res.end();
      this.#resolve({ status: this.#status });
    } else {
      this.#refuse("function_threw", `${this.#asked.name}: ${thrown}`);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: NodeJS.ErrnoException): void {
    this.#finish();
    const ms = performance.now() - this.#startedAt;
    const { name } = this.#asked;
    if (this.#isLate) {
      const { timeoutMs } = this.#lease;
      this.#refuse("function_timeout", `${name} took longer than ${timeoutMs} ms`);
    } else if (error.code === "UND_ERR_INVALID_ARG") {
      // It was never sent, and the service will say why it cannot be.
      this.#lease.giveBack();
      this.#resolve("unreached");
    } else if (isUnreached(error)) {
      // The sandbox may be well: this node cannot see its socket, as in a container of its own.
      this.#lease.end("returned");
      this.#resolve("unreached");
    } else {
      this.#lease.end("abandoned", ["died", ms]);
      if (isUnreadable(error)) {
        this.#refuse("bad_answer", `${name}: what it answered is not HTTP`);
      } else {
        this.#explainDeath();
      }
    }
  }

  async #explainDeath(): Promise<void> {
    const { reason = "died", words = "its sandbox ended" } = (await this.#lease.explainEnd()) ?? {};
    this.#refuse("function_died", `${this.#asked.name}: ${words}`, { reason });
  }

  #cut(): void {
    this.#isLate = true;
    this.#lease.end("timeout", ["timeout", performance.now() - this.#startedAt]);
    this.#controller?.abort(new Error("it took too long"));
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#res.off("drain", this.#resume).off("close", this.#resume);
  }

  /** An answer that was begun breaks off. */
  #refuse(code: DirectProblem["code"], detail: string, members: Record<string, unknown> = {}): void {
    if (this.#res.headersSent || this.#res.destroyed) {
      this.#res.destroy();
      this.#resolve({ status: this.#status || 499 });
    } else {
      this.#resolve({ problem: { code, detail, members } });
    }
  }

  /** What nobody waits for any more is read and forgotten: the function may finish. */
  readonly #resume = (): void => {
    if (!this.#isOver) this.#controller?.resume();
  };
}

/** Whether what came is not HTTP, or more of it than a head may have. */
function isUnreadable({ name, code }: NodeJS.ErrnoException): boolean {
  return name === "HTTPParserError" || code === "UND_ERR_HEADERS_OVERFLOW";
}

/** Whether nobody can have read the request. */
function isUnreached(error: NodeJS.ErrnoException): boolean {
  return error.syscall === "connect";
}

function readHeaders({ rawHeaders }: Dispatcher.DispatchController): string[] {
  return filterHeaders(readRawHeaders(rawHeaders), (name) => !name.startsWith("x-function-"));
}

export function isDirectable({ headers }: IncomingMessage): boolean {
  if (headers["transfer-encoding"] !== undefined) return false;
  return Number(headers["content-length"] ?? 0) <= MOST_BODY_BYTES;
}

/** What is larger goes through the service, as it comes. */
const MOST_BODY_BYTES = 64 * 1024;
