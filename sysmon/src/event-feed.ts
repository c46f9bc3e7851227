/**
 * An event stream of the cluster's own API, over every break: when it breaks off it is opened again, after the last event
 * that was read, so that nothing is told twice or left out.
 */

import { setTimeout as delay } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import type { ApiClient } from "./api-client.ts";

export interface EventFeedOptions {
  api: Pick<ApiClient, "open">;
  path: string;
  /** The pause before the stream is opened again. */
  retryMs?: number;
}

/** Its name, and its data as it came. */
type OnEvent = (event: string | undefined, data: string) => void;

/** Calls `onEvent` for each event from now on. Returns what ends that. */
export function followEvents(options: EventFeedOptions, onEvent: OnEvent): () => void {
  const end = new AbortController();
  void follow(options, onEvent, end.signal);
  return () => end.abort();
}

async function follow(options: EventFeedOptions, onEvent: OnEvent, signal: AbortSignal): Promise<void> {
  const { api, path, retryMs = 2_000 } = options;
  let lastId: string | undefined;
  const parser = createParser({
    onEvent: ({ event, id, data }) => {
      lastId = id ?? lastId;
      if (!signal.aborted) onEvent(event, data);
    },
  });
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = lastId === undefined ? {} : { "last-event-id": lastId };
      const { statusCode, body } = await api.open("GET", path, { headers, signal });
      parser.reset();
      if (statusCode === 200) for await (const text of body.setEncoding("utf8")) parser.feed(text as string);
      else await body.dump();
    } catch {
      // The API is away, or this was ended.
    }
    await delay(retryMs, undefined, { signal, ref: false }).catch(() => {});
  }
}
