/** One process as it goes on: its state and its turns, as they become true. */

import type { HistoryEvent, HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { readLastEventId } from "@genserverless/shared/service/event-stream.ts";
import { pidOf } from "../request/input.ts";
import { defineRoute, type Route } from "./route.ts";
import { streamFrom } from "./stream-from.ts";

export function historyRoutes(feed: HistoryFeed): Route[] {
  return [
    defineRoute({
      method: "get",
      path: "/v1/processes/:module/:key/events",
      name: "followProcess",
      summary: "Follow a process: a snapshot, then each commit with its messages and state, as server-sent events",
      answers: { 200: { description: "Events `snapshot`, `commit` and `ended`", text: "text/event-stream" } },
      problems: ["invalid_request", "invalid_pid", "no_process"],
      async handle({ params, headers }) {
        const pid = pidOf(params);
        const lastEventId = readLastEventId(headers["last-event-id"]);
        return streamFrom(async (teller) => {
          const onEvent = (event: HistoryEvent) => {
            teller.send(event);
            if (event.event === "ended") teller.end();
          };
          const leave = await feed.follow(pid, lastEventId, onEvent);
          if (!leave) throw new ClusterError("no_process", `there is no process ${pid}`);
          return leave;
        });
      },
    }),
  ];
}
