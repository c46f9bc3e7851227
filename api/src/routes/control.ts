/** Verbs on one process that overtake its mail, and a look into its mailbox. */

import type { Control } from "@genserverless/shared/cluster/control.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { ClusterError, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { pidOf } from "../request/input.ts";
import {
  HoldAnswer,
  KillAnswer,
  KillRequest,
  Mailbox,
  NoFields,
  ReadMailboxQuery,
  SkipAnswer,
  SkipRequest,
} from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

const PATH = "/v1/processes/:module/:key";

/** What any act on one process may be refused with. */
export const REFUSED_ACT: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_request",
  "invalid_pid",
  "body_too_large",
  "unsupported_media_type",
  "no_process",
  "outcome_unknown",
];

export function controlRoutes(control: Control, snapshot: Snapshot): Route[] {
  return [
    holdRoute("pause", "Hold a process back: mail is kept, nothing runs; again, nothing changes", control, [
      "not_started",
    ]),
    holdRoute("resume", "Let a paused process go on; where it is not paused, nothing changes", control),
    holdRoute("unquarantine", "Let a quarantined process go on; where it is not, nothing changes", control),
    killRoute(control),
    mailboxRoute(snapshot),
    skipRoute(control),
  ];
}

function holdRoute(
  name: "pause" | "resume" | "unquarantine",
  summary: string,
  control: Control,
  problems: readonly ErrorCode[] = [],
): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/${name}`,
    name,
    summary,
    body: NoFields,
    isBodyOptional: true,
    answers: { 200: { description: "What it is now", schema: HoldAnswer } },
    problems: [...REFUSED_ACT, ...problems],
    async handle({ params }) {
      const pid = pidOf(params);
      return { status: 200, json: { pid, status: await control[name](pid) } };
    },
  });
}

function killRoute(control: Control): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/kill`,
    name: "kill",
    summary: "End a process at once, without terminate; its mail is answered with no_process",
    body: KillRequest,
    isBodyOptional: true,
    answers: { 200: { description: "Ended", schema: KillAnswer } },
    problems: [...REFUSED_ACT, "idempotency_conflict"],
    async handle({ params, body, idempotency }) {
      return { status: 200, json: await control.kill(pidOf(params), body.reason, idempotency) };
    },
  });
}

function mailboxRoute(snapshot: Snapshot): Route {
  return defineRoute({
    method: "get",
    path: `${PATH}/mailbox`,
    name: "readMailbox",
    summary: "Look into a mailbox: what is in hand, what waits, head first, and what is delayed",
    query: ReadMailboxQuery,
    answers: { 200: { description: "The mailbox", schema: Mailbox } },
    problems: ["invalid_request", "invalid_pid", "no_process"],
    async handle({ params, query }) {
      const pid = pidOf(params);
      const mailbox = await snapshot.readMailbox(pid, query.limit);
      if (!mailbox) throw new ClusterError("no_process", `${pid} is not there, or it is stopped`);
      return { status: 200, json: mailbox };
    },
  });
}

function skipRoute(control: Control): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/mailbox/skip`,
    name: "skip",
    summary: "Drop what a paused or quarantined process would handle next",
    body: SkipRequest,
    isBodyOptional: true,
    answers: { 200: { description: "What was dropped", schema: SkipAnswer } },
    problems: [...REFUSED_ACT, "idempotency_conflict", "not_paused", "not_cancellable", "unknown_message"],
    async handle({ params, body, idempotency }) {
      return { status: 200, json: await control.skip(pidOf(params), body.messageId, idempotency) };
    },
  });
}
