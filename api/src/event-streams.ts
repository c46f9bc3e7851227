/** The answers of an api node that go on. */

import type { ServerResponse } from "node:http";
import { EventStream } from "@genserverless/shared/service/event-stream.ts";

/** Those that are open, so that they can be ended: each resumes elsewhere with Last-Event-ID. */
export class EventStreams {
  readonly #open = new Set<EventStream>();

  add(res: ServerResponse, headers: Readonly<Record<string, string>>): EventStream {
    const stream = new EventStream(res, { headers });
    this.#open.add(stream);
    stream.onClose(() => this.#open.delete(stream));
    return stream;
  }

  endAll(): void {
    for (const stream of this.#open) stream.end();
  }
}
