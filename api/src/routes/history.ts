/** One process as it goes on: its state and its turns, as they become true. */

import type { HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { readLastEventId } from "../event-stream.ts";
import { pidOf } from "../request/input.ts";
import { defineRoute, type Route } from "./route.ts";

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
        const early: Parameters<Parameters<HistoryFeed["follow"]>[2]>[0][] = [];
        let tell = (event: (typeof early)[number]) => void early.push(event);
        const leave = await feed.follow(pid, lastEventId, (event) => tell(event));
        if (!leave) throw new ClusterError("no_process", `there is no process ${pid}`);
        return {
          status: 200,
          stream: (stream) => {
            stream.onClose(leave);
            tell = (event) => {
              stream.send(event);
              if (event.event === "ended") stream.end();
            };
            for (const event of early) tell(event);
          },
        };
      },
    }),
  ];
}
