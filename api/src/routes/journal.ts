/** The journal of a process that keeps its events: a page of it, the state at any point of it, and the events as they come. */

import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { JournalFeed } from "../journal/journal-feed.ts";
import type { JournalReader } from "../journal/journal-reader.ts";
import type { JournalStates } from "../journal/journal-states.ts";
import { pidOf } from "../request/input.ts";
import {
  FollowJournalQuery,
  JournalPage,
  JournalState,
  ReadJournalQuery,
  ReadJournalStateQuery,
} from "./journal-schemas.ts";
import { defineRoute, type Route } from "./route.ts";
import { streamFrom } from "./stream-from.ts";

export interface JournalParts {
  reader: JournalReader;
  states: JournalStates;
  feed: JournalFeed;
}

const PATH = "/v1/processes/:module/:key/journal";
const UNREADABLE = [
  "invalid_request",
  "invalid_pid",
  "no_process",
  "not_started",
  "no_journal",
  "compacted",
  "journal_broken",
] as const;

export function journalRoutes(parts: JournalParts): Route[] {
  return [readRoute(parts), stateRoute(parts), followRoute(parts)];
}

function readRoute({ reader }: JournalParts): Route {
  return defineRoute({
    method: "get",
    path: PATH,
    name: "readJournal",
    summary: "Read the events of a process, in order",
    query: ReadJournalQuery,
    answers: { 200: { description: "A page", schema: JournalPage } },
    problems: UNREADABLE,
    handle: async ({ params, query }) => ({
      status: 200,
      json: await reader.readPage(pidOf(params), query.from, query.limit),
    }),
  });
}

function stateRoute({ states }: JournalParts): Route {
  return defineRoute({
    method: "get",
    path: `${PATH}/state`,
    name: "readJournalState",
    summary: "Read what the events have come to, now, at a sequence or at a time; without a turn",
    query: ReadJournalStateQuery,
    answers: { 200: { description: "The state", schema: JournalState } },
    problems: [...UNREADABLE, "callback_timeout", "callback_failed"],
    handle: async ({ params, query: { at } }) => ({
      status: 200,
      json: await states.readAt(pidOf(params), typeof at === "string" ? new Date(at) : at),
    }),
  });
}

function followRoute({ feed }: JournalParts): Route {
  return defineRoute({
    method: "get",
    path: `${PATH}/stream`,
    name: "followJournal",
    summary: "Follow the events of a process, past and to come, as server-sent events that resume after Last-Event-ID",
    query: FollowJournalQuery,
    answers: { 200: { description: "Events `event` and `ended`", text: "text/event-stream" } },
    problems: UNREADABLE,
    async handle({ params, query: { from }, headers }) {
      const pid = pidOf(params);
      const after = readSequence(headers["last-event-id"]) ?? (from === undefined ? undefined : from - 1);
      return streamFrom((teller) =>
        feed.follow(pid, after, {
          onEvent: (event) => teller.send({ event: "event", id: String(event.sequence), data: event }),
          onEnd(reason) {
            teller.send({ event: "ended", data: { reason } });
            teller.end();
          },
          drained: teller.drained,
        }),
      );
    },
  });
}

function readSequence(lastEventId: unknown): number | undefined {
  if (lastEventId === undefined || lastEventId === "") return undefined;
  if (typeof lastEventId === "string" && /^\d{1,15}$/.test(lastEventId)) return Number(lastEventId);
  throw new ClusterError("invalid_request", "Last-Event-ID is the id of an event of this stream: its sequence");
}
