/** Dead letters of a process: read them, try them again, drop them; one, or all. */

import type { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { partitionOfMessage } from "@genserverless/shared/process/message.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { type Input, pidOf } from "../request/input.ts";
import { REFUSED_ACT } from "./control.ts";
import { DropAllAnswer, DropAnswer, NoFields, RetryAllAnswer, RetryAnswer } from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";
import { DeadLetters as DeadLetterList } from "./schemas.ts";

const PATH = "/v1/processes/:module/:key/dead-letters";

export function deadLetterRoutes(deadLetters: DeadLetters, snapshot: Snapshot): Route[] {
  return [
    readRoute(snapshot),
    dropAllRoute(deadLetters),
    retryAllRoute(deadLetters),
    retryRoute(deadLetters),
    dropRoute(deadLetters),
  ];
}

function readRoute(snapshot: Snapshot): Route {
  return defineRoute({
    method: "get",
    path: PATH,
    name: "readDeadLetters",
    summary: "Read the messages that a process could not handle; they outlive it",
    answers: { 200: { description: "The dead letters", schema: DeadLetterList } },
    problems: ["invalid_request", "invalid_pid"],
    handle: async ({ params }) => ({
      status: 200,
      json: { deadLetters: await snapshot.readDeadLetters(pidOf(params)) },
    }),
  });
}

function retryRoute(deadLetters: DeadLetters): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/:id/retry`,
    name: "retryDeadLetter",
    summary: "Put a dead letter back at the end of the mailbox; again, while it waits, nothing changes",
    body: NoFields,
    isBodyOptional: true,
    answers: { 200: { description: "It waits", schema: RetryAnswer } },
    problems: [...REFUSED_ACT, "unknown_message", "already_started", "mailbox_full"],
    async handle({ params }) {
      const id = letterIdOf(params);
      await deadLetters.retry(pidOf(params), id);
      return { status: 200, json: { messageId: id, status: "queued" } };
    },
  });
}

function dropRoute(deadLetters: DeadLetters): Route {
  return defineRoute({
    method: "delete",
    path: `${PATH}/:id`,
    name: "dropDeadLetter",
    summary: "Drop a dead letter for good",
    answers: { 200: { description: "It is gone", schema: DropAnswer } },
    problems: ["invalid_request", "invalid_pid", "unknown_message", "outcome_unknown"],
    async handle({ params }) {
      const id = letterIdOf(params);
      await deadLetters.drop(pidOf(params), id);
      return { status: 200, json: { messageId: id, status: "dropped" } };
    },
  });
}

function retryAllRoute(deadLetters: DeadLetters): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/retry`,
    name: "retryDeadLetters",
    summary: "Put all dead letters of a process back, oldest first; what fails again meanwhile stays one",
    body: NoFields,
    isBodyOptional: true,
    answers: { 200: { description: "How many were put back", schema: RetryAllAnswer } },
    problems: [...REFUSED_ACT, "mailbox_full"],
    handle: async ({ params }) => ({ status: 200, json: { retried: await deadLetters.retryAll(pidOf(params)) } }),
  });
}

function dropAllRoute(deadLetters: DeadLetters): Route {
  return defineRoute({
    method: "delete",
    path: PATH,
    name: "dropDeadLetters",
    summary: "Drop all dead letters of a process for good, also those of earlier lives",
    answers: { 200: { description: "How many were dropped", schema: DropAllAnswer } },
    problems: ["invalid_request", "invalid_pid", "outcome_unknown"],
    handle: async ({ params }) => ({ status: 200, json: { dropped: await deadLetters.dropAll(pidOf(params)) } }),
  });
}

function letterIdOf({ id }: Input["params"]): string {
  if (id !== undefined && partitionOfMessage(id) !== undefined) return id;
  throw new ClusterError("unknown_message", "no dead letter has this id");
}
