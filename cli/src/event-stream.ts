/** Server-sent events out of the bytes of an answer. */

import { createParser } from "eventsource-parser";

export interface ServerEvent {
  /** Resumes the stream after it, as Last-Event-ID. */
  id: string | undefined;
  event: string;
  data: string;
}

/** Ends with the bytes; an event that is cut off by their end is none. */
export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  let read: ServerEvent[] = [];
  const parser = createParser({
    onEvent: ({ id, event = "message", data }) => void read.push({ id, event, data }),
  });
  const decoder = new TextDecoder();
  for await (const chunk of bytes) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    const events = read;
    read = [];
    yield* events;
  }
}
