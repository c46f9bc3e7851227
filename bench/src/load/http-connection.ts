/**
 * One HTTP/1.1 connection of the load client: one request at a time, kept alive, opened again when it was closed.
 *
 * It exists because the client shares the machine with what it measures. It writes requests that were built beforehand
 * and reads of an answer what the measurement needs: its status and where it ends.
 */

import { connect, type Socket } from "node:net";
import type { Answered, Connection } from "./load.ts";

/** The bytes of a request. */
export type HttpRequest = Buffer;

const SILENCE_MS = 30_000;
const LENGTH = /\r\ncontent-length: *(\d+)\r\n/i;

export function postJson(path: string, body: unknown): HttpRequest {
  const text = JSON.stringify(body);
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: bench",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(text)}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${text}`);
}

export class HttpConnection implements Connection<HttpRequest> {
  readonly #address: { host: string; port: number };
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #answered: Answered | undefined;

  constructor(address: { host: string; port: number }) {
    this.#address = address;
  }

  send(request: HttpRequest, answered: Answered): void {
    this.#answered = answered;
    this.#socket ??= this.#open();
    this.#socket.write(request);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ ...this.#address, noDelay: true });
    let failure = "closed";
    socket.setTimeout(SILENCE_MS, () => socket.destroy(Object.assign(new Error(), { code: "silent" })));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("close", () => {
      this.#socket = undefined;
      this.#received = Buffer.alloc(0);
      this.#answer(0, failure);
    });
    return socket;
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = this.#received.toString("latin1", 0, headEnd + 2);
    const length = LENGTH.exec(head)?.[1];
    if (length === undefined) {
      this.#socket?.destroy(Object.assign(new Error(), { code: "no-content-length" }));
      return;
    }
    if (this.#received.length < headEnd + 4 + Number(length)) return;
    this.#received = Buffer.alloc(0);
    this.#answer(Number(head.slice(9, 12)));
  }

  #answer(status: number, failure?: string): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(status, failure);
  }
}
