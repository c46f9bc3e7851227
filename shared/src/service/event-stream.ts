/**
 * An answer that goes on: server-sent events (WHATWG HTML, section 9.2). It ends when the reader leaves or may no longer
 * listen, and when the node leaves. A reader that stays far behind is cut off; the past, which comes at once, may take its
 * time. Whoever is cut off comes back, here or at
 * another node, with Last-Event-ID. What is sent after the end is dropped.
 */

import type { ServerResponse } from "node:http";
import { ClusterError } from "./errors.ts";

export interface StreamedEvent {
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** What the reader resumes after. */
  id?: string;
}

export interface EventStreamOptions {
  headers?: Readonly<Record<string, string>>;
  /** Asked before each write, the comment line included. One that throws says no. */
  mayListen?: () => boolean;
  /** How long a reader may stay far behind before it is cut off, in ms. */
  mostBehindMs?: number;
}

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
const EVENT_ID = /^\d{1,15}-\d{1,15}$/;
/** When a reader whose connection broke comes back. */
const RETRY_MS = 1_000;
const ALIVE_EVERY_MS = 15_000;
const MOST_BEHIND_BYTES = 8 * 1024 * 1024;
const MOST_BEHIND_MS = 10_000;

export class EventStream {
  readonly #res: ServerResponse;
  readonly #mayListen: () => boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #mostBehindMs: number;
  /** Since when it has been far behind. */
  #behindSince: number | undefined;

  /** Begins the answer. Over one whose reader has left already, the stream is closed from the start. */
  constructor(res: ServerResponse, options: EventStreamOptions = {}) {
    const { headers = {}, mayListen = () => true, mostBehindMs = MOST_BEHIND_MS } = options;
    this.#res = res;
    this.#mostBehindMs = mostBehindMs;
    this.#mayListen = mayListen;
    // So that nobody between takes the connection for dead, and a reader that is gone is noticed.
    this.#timer = setInterval(() => this.#write(":\n\n"), ALIVE_EVERY_MS);
    this.onClose(() => clearInterval(this.#timer));
    if (!this.isOpen) return;
    res.writeHead(200, { ...HEADERS, ...headers });
    res.write(`retry: ${RETRY_MS}\n\n`);
  }

  get isOpen(): boolean {
    return !this.#res.writableEnded && !this.#res.destroyed;
  }

  /** Whether something that was sent still waits to be taken. */
  get isBehind(): boolean {
    return this.#res.writableLength > 0;
  }

  send({ event, data, id }: StreamedEvent): void {
    this.sendText(event, JSON.stringify(data), id);
  }

  /** The same with JSON text, made once for many. */
  sendText(event: string, json: string, id?: string): void {
    this.#write(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`);
  }

  /** Resolves when most of what was sent has been taken, or nothing will be any more. */
  drained(): Promise<void> {
    const res = this.#res;
    if (!this.isOpen || !res.writableNeedDrain) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => {
      res.off("drain", done).off("close", done);
      resolve();
    };
    res.once("drain", done).once("close", done);
    return promise;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#res.end();
  }

  /** Calls the listener when the answer is over, at once where it is already. */
  onClose(listener: () => void): void {
    if (this.#res.destroyed) listener();
    else this.#res.once("close", listener);
  }

  #write(text: string): void {
    if (!this.isOpen) return;
    if (!this.#isAllowed()) this.end();
    else if (this.#isTooFarBehind()) this.#res.destroy();
    else this.#res.write(text);
  }

  #isTooFarBehind(): boolean {
    if (this.#res.writableLength <= MOST_BEHIND_BYTES) this.#behindSince = undefined;
    else this.#behindSince ??= performance.now();
    return this.#behindSince !== undefined && performance.now() - this.#behindSince > this.#mostBehindMs;
  }

  #isAllowed(): boolean {
    try {
      return this.#mayListen();
    } catch {
      return false;
    }
  }
}

/**
 * The id that a reader resumes after, of a header, or of a query where the reader is a browser's script, which cannot set
 * one. Ids are those of Redis's streams. Throws `invalid_request` where it is none.
 */
export function readLastEventId(given: unknown): string | undefined {
  if (given === undefined || given === "") return undefined;
  if (typeof given === "string" && EVENT_ID.test(given)) return given;
  throw new ClusterError("invalid_request", "Last-Event-ID is the id of an event of this stream, e.g. 1700000000000-0");
}
