/** One answer as server-sent events. It ends when the client leaves, when it may no longer listen, and with the server. */

import type { Request, Response } from "express";

export interface EventStreamOptions {
  /** Asked again and again: whether the client still may listen. */
  mayListen: () => boolean;
  onEnd?: () => void;
  /** How often a comment line keeps the connection alive and `mayListen` is asked. */
  beatMs?: number;
}

/** A client that takes nothing is cut off when so much waits for it; it comes back and goes on where it was. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

export class EventStream {
  readonly #response: Response;

  constructor(request: Request, response: Response, { mayListen, onEnd, beatMs = 5_000 }: EventStreamOptions) {
    this.#response = response;
    response.set({ "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
    response.status(200).flushHeaders();
    response.write("retry: 1000\n\n");
    const beat = setInterval(() => {
      if (mayListen()) this.#write(": beat\n\n");
      else this.end();
    }, beatMs);
    response.on("close", () => {
      clearInterval(beat);
      onEnd?.();
    });
    request.on("error", () => {});
  }

  /** `data` is made JSON; no line of it can be taken for a field. */
  send(event: string, data: unknown, id?: string): void {
    this.sendText(event, JSON.stringify(data), id);
  }

  /** The same with JSON text, made once for many. */
  sendText(event: string, json: string, id?: string): void {
    this.#write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${json}\n\n`);
  }

  end(): void {
    this.#response.end();
  }

  #write(text: string): void {
    if (this.#response.writableLength > MOST_WAITING_BYTES) this.#response.destroy();
    else this.#response.write(text);
  }
}

/** Where a client says that it has been; a browser says it in the header, whoever cannot set one in the query. */
export function readLastId(request: Request): string | undefined {
  return request.get("last-event-id") || textOf(request.query["lastEventId"]);
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
