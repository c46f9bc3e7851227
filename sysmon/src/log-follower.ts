/** The cluster's log as both skins follow it: what the feed tells, begun again until the feed can be read. */

import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import type { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import type { LogSource } from "./log-source.ts";

/** `retryMs` is the pause after a try that failed, as while Redis is away. */
export function followLog(feed: Pick<LogFeed, "subscribe">, retryMs = 1_000): LogSource {
  return {
    subscribe({ filter, afterId, tail }, onEntry) {
      const ended = new AbortController();
      let lastId = afterId;
      let retry: NodeJS.Timeout | undefined;
      const tell = (entry: LogEntry) => {
        if (ended.signal.aborted) return;
        lastId = entry.id;
        onEntry(entry);
      };
      const begin = async () => {
        const from = lastId === undefined ? { tail: tail ?? 0 } : { afterId: lastId };
        try {
          const leave = await feed.subscribe({ filter, ...from }, tell);
          if (ended.signal.aborted) leave();
          else ended.signal.addEventListener("abort", leave);
        } catch {
          if (!ended.signal.aborted) retry = setTimeout(() => void begin(), retryMs);
        }
      };
      void begin();
      return () => {
        clearTimeout(retry);
        ended.abort();
      };
    },
  };
}
