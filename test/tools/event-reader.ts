/** Reads server-sent events as a browser would: in order, with their ids. */

import { setTimeout as sleep } from "node:timers/promises";

export interface ReadEvent {
  event: string;
  id: string;
  data: Record<string, unknown>;
}

export class EventReader implements AsyncDisposable {
  /** How many events there have been. */
  count = 0;
  readonly #controller: AbortController;
  readonly #events: ReadEvent[] = [];
  readonly #ended: Promise<void>;
  #wake = Promise.withResolvers<void>();

  static async open(url: string, lastEventId?: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const controller = new AbortController();
    const given = lastEventId === undefined ? headers : { ...headers, "last-event-id": lastEventId };
    const response = await fetch(url, { signal: controller.signal, headers: given });
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || !response.body || !type.startsWith("text/event-stream")) {
      throw new Error(`${url} answered ${response.status} ${type}: ${await response.text()}`);
    }
    return new EventReader(response.body, controller);
  }

  private constructor(body: ReadableStream<Uint8Array>, controller: AbortController) {
    this.#controller = controller;
    this.#ended = this.#read(body).catch(() => {});
  }

  async next({ withinMs }: { withinMs: number }): Promise<ReadEvent> {
    const endsAt = performance.now() + withinMs;
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      const leftMs = endsAt - performance.now();
      if (leftMs <= 0) throw new Error(`no event within ${withinMs} ms`);
      const controller = new AbortController();
      const late = sleep(leftMs, undefined, { signal: controller.signal }).catch(() => {});
      await Promise.race([this.#wake.promise, late]);
      controller.abort();
    }
  }

  async nextWhere(is: (event: ReadEvent) => boolean, bound: { withinMs: number }): Promise<ReadEvent> {
    for (;;) {
      const event = await this.next(bound);
      if (is(event)) return event;
    }
  }

  /** Resolves when the server has ended the stream. */
  untilEnd(): Promise<void> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      const parts = (text + decoder.decode(chunk, { stream: true })).split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) this.#take(part);
    }
  }

  #take(part: string): void {
    const fields = new Map(part.split("\n").map((line) => [line.split(":", 1)[0], line.replace(/^[^:]*: ?/, "")]));
    const data = fields.get("data");
    if (data === undefined) return;
    this.count += 1;
    this.#events.push({ event: fields.get("event") ?? "message", id: fields.get("id") ?? "", data: JSON.parse(data) });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}
