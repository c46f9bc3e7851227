/** The cluster's log: what modules write with `ctx.log`, and what happens in the nodes. */

import { LOG_LEVELS, type LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import type { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import { readLastEventId } from "@genserverless/shared/service/event-stream.ts";
import { z } from "zod";
import { defineRoute, type Route } from "./route.ts";
import { streamFrom } from "./stream-from.ts";
import { wholeNumber } from "./whole-number.ts";

const query = z.strictObject({
  pid: z.string().exactOptional(),
  module: z.string().exactOptional(),
  node: z.string().exactOptional(),
  level: z.enum(LOG_LEVELS).exactOptional(),
  /** Of the past, how many entries; 0 while following and 1,000 without, unless given. */
  tail: wholeNumber(0, 10_000).exactOptional(),
  follow: z.enum(["true", "false"]).default("true"),
});

export function logRoutes(feed: LogFeed): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/v1/logs",
      name: "readLogs",
      summary: "Follow the log of all nodes, as server-sent events that resume after Last-Event-ID",
      query,
      answers: { 200: { description: "An event `log` for each entry", text: "text/event-stream" } },
      problems: ["invalid_request"],
      async handle({ query: { tail, follow, ...filter }, headers }) {
        const afterId = readLastEventId(headers["last-event-id"]);
        return streamFrom(async ({ send, end }) => {
          const onEntry = (entry: LogEntry) => send({ event: "log", id: entry.id, data: entry });
          if (follow === "true") return await feed.subscribe({ filter, afterId, tail: tail ?? 0 }, onEntry);
          for (const entry of await feed.readTail(filter, tail ?? 1_000)) onEntry(entry);
          end();
          return () => {};
        });
      },
    }),
  ];
}
