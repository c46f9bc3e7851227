/** The cluster's log: what modules write with `ctx.log`, and what happens in the nodes. */

import { LOG_LEVELS, type LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import type { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import { z } from "zod";
import { type EventStream, readLastEventId } from "../event-stream.ts";
import { defineRoute, type Route } from "./route.ts";
import { wholeNumber } from "./whole-number.ts";

const query = z.strictObject({
  pid: z.string().exactOptional(),
  module: z.string().exactOptional(),
  node: z.string().exactOptional(),
  level: z.enum(LOG_LEVELS).exactOptional(),
  tail: wholeNumber(0, 10_000).default(0),
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
        if (follow === "false") return { status: 200, stream: writeAll(await feed.readTail(filter, tail || 1_000)) };
        return {
          status: 200,
          stream: (stream) => {
            const onEntry = (entry: LogEntry) => stream.send({ event: "log", id: entry.id, data: entry });
            feed.subscribe({ filter, afterId, tail }, onEntry).then(
              (unsubscribe) => stream.onClose(unsubscribe),
              () => stream.end(),
            );
          },
        };
      },
    }),
  ];
}

function writeAll(entries: readonly LogEntry[]): (stream: EventStream) => void {
  return (stream) => {
    for (const entry of entries) stream.send({ event: "log", id: entry.id, data: entry });
    stream.end();
  };
}
