/** The messages a client can send to a process: call, cast, info and stop. `call` comes first: it is the hot path. */

import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { ErrorCode } from "@genserverless/shared/service/errors.ts";
import { checkMessage, type Modules } from "../request/check-message.ts";
import { pidOf } from "../request/input.ts";
import { defineRoute, type Route } from "./route.ts";
import { CallAnswer, CallRequest, MailAnswer, MailRequest, StopAnswer, StopRequest } from "./schemas.ts";

/** How long start and stop wait for their turn: more than a callback may take, with mail before it. */
export const LIFE_TIMEOUT_MS = 60_000;

const REFUSED_AT_THE_DOOR = ["invalid_json", "invalid_request", "body_too_large", "unsupported_media_type"] as const;
const REFUSED_BY_THE_VALIDATOR = ["invalid_message", "callback_failed", "callback_timeout"] as const;
const REFUSED_BY_THE_MAILBOX = ["idempotency_conflict", "mailbox_full", "storage_full", "outcome_unknown"] as const;
export const REFUSED_POST: readonly ErrorCode[] = [...REFUSED_AT_THE_DOOR, ...REFUSED_BY_THE_MAILBOX];

export const FAILED_TURN: readonly ErrorCode[] = [
  "call_cycle",
  "callback_failed",
  "callback_timeout",
  "invalid_return",
  "state_not_json",
  "state_too_large",
  "reply_too_large",
  "node_died",
  "cancelled",
  "skipped",
  "call_timeout",
  "no_workers",
];

const PATH = "/v1/processes/:module/:key";

export function messagingRoutes(messenger: Messenger, modules: Modules): Route[] {
  return [
    callRoute(messenger, modules),
    mailRoute("cast", messenger, modules),
    mailRoute("info", messenger, modules),
    stopRoute(messenger),
  ];
}

function callRoute(messenger: Messenger, modules: Modules): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/call`,
    name: "call",
    summary: "Send a message and wait for the reply, which comes after the turn has committed",
    body: CallRequest,
    answers: { 200: { description: "The reply", schema: CallAnswer } },
    problems: [
      ...REFUSED_POST,
      "invalid_pid",
      "invalid_timeout",
      "invalid_message",
      "no_process",
      "reply_not_json",
      "command_failed",
      "too_many_events",
      ...FAILED_TURN,
    ],
    async handle({ params, body, idempotency }) {
      const pid = pidOf(params);
      const checked = checkMessage(modules, params["module"], "call", body.message);
      if (checked) await checked;
      const { reply, messageId } = await messenger.call(pid, body.message, {
        timeoutMs: body.timeoutMs,
        ...idempotency,
      });
      return { status: 200, json: { reply: reply ?? null, messageId } };
    },
  });
}

function mailRoute(kind: "cast" | "info", messenger: Messenger, modules: Modules): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/${kind}`,
    name: kind,
    summary: `Leave a message for ${kind === "cast" ? "handleCast" : "handleInfo"}, now or after a delay`,
    body: MailRequest,
    answers: { 202: { description: "Accepted: it will be handled", schema: MailAnswer } },
    problems: [...REFUSED_POST, "invalid_pid", ...REFUSED_BY_THE_VALIDATOR, "no_process", "no_workers"],
    async handle({ params, body, idempotency }) {
      const pid = pidOf(params);
      const checked = checkMessage(modules, params["module"], kind, body.message);
      if (checked) await checked;
      const { messageId } = await messenger[kind](pid, body.message, {
        delayMs: body.delayMs,
        ...idempotency,
      });
      return { status: 202, json: { messageId } };
    },
  });
}

function stopRoute(messenger: Messenger): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/stop`,
    name: "stop",
    summary: "Stop a process, in order with its other mail; answers after terminate has run",
    body: StopRequest,
    answers: { 200: { description: "Stopped", schema: StopAnswer } },
    problems: [...REFUSED_POST, "invalid_pid", "no_process", ...FAILED_TURN],
    async handle({ params, body, idempotency }) {
      const options = { timeoutMs: LIFE_TIMEOUT_MS, ...idempotency };
      const { reason } = await messenger.stopProcess(pidOf(params), body.reason, options);
      return { status: 200, json: { reason } };
    },
  });
}
