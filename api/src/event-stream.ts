/**
 * Answers that go on: server-sent events (WHATWG HTML, section 9.2). A reader that does not keep up is cut off, and so is
 * everybody when the node leaves: each resumes elsewhere with Last-Event-ID.
 */

import type { ServerResponse } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

export interface StreamedEvent {
  event: string;
  /** Any JSON value. */
  data: unknown;
  /** What the reader resumes after. */
  id?: string;
}

const ENTRY_ID = /^\d{1,15}-\d{1,15}$/;
const ALIVE_EVERY_MS = 15_000;
const MOST_BEHIND_BYTES = 8 * 1024 * 1024;

export class EventStream {
  readonly #res: ServerResponse;
  readonly #timer: NodeJS.Timeout;

  constructor(res: ServerResponse) {
    this.#res = res;
    // So that nobody between takes the connection for dead, and a reader that is gone is noticed.
    this.#timer = setInterval(() => this.#write(":\n\n"), ALIVE_EVERY_MS);
    res.once("close", () => clearInterval(this.#timer));
  }

  get isOpen(): boolean {
    return !this.#res.writableEnded && !this.#res.destroyed;
  }

  send({ event, data, id }: StreamedEvent): void {
    this.#write(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#res.end();
  }

  onClose(listener: () => void): void {
    if (this.#res.destroyed) listener();
    else this.#res.once("close", listener);
  }

  #write(text: string): void {
    if (!this.isOpen) return;
    if (this.#res.writableLength > MOST_BEHIND_BYTES) this.#res.destroy();
    else this.#res.write(text);
  }
}

/** Those that are open, so that they can be ended. */
export class EventStreams {
  readonly #open = new Set<EventStream>();

  add(res: ServerResponse): EventStream {
    const stream = new EventStream(res);
    this.#open.add(stream);
    stream.onClose(() => this.#open.delete(stream));
    return stream;
  }

  endAll(): void {
    for (const stream of this.#open) stream.end();
  }
}

/** The id of the entry that a reader resumes after; ids are those of Redis's streams. */
export function readLastEventId(given: string | string[] | undefined): string | undefined {
  if (given === undefined || given === "") return undefined;
  if (typeof given === "string" && ENTRY_ID.test(given)) return given;
  throw new ClusterError("invalid_request", "Last-Event-ID is the id of an event of this stream, e.g. 1700000000000-0");
}
