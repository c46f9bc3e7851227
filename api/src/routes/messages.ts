/** A message by its id: what became of it, and taking it back. */

import { setTimeout as delay } from "node:timers/promises";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { MessageView } from "@genserverless/shared/inspect/views.ts";
import { partitionOfMessage } from "@genserverless/shared/process/message.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Input } from "../request/input.ts";
import { defineRoute, type Route } from "./route.ts";
import { CancelAnswer, Message, ReadMessageQuery } from "./schemas.ts";

const PATH = "/v1/messages/:id";
const FIRST_LOOK_MS = 10;
const LATER_LOOKS_MS = 200;

export function messageRoutes(messenger: Messenger, snapshot: Snapshot, isDraining: () => boolean): Route[] {
  return [readRoute(snapshot, isDraining), cancelRoute(messenger)];
}

function readRoute(snapshot: Snapshot, isDraining: () => boolean): Route {
  return defineRoute({
    method: "get",
    path: PATH,
    name: "readMessage",
    summary: "Read what became of a message, waiting up to `wait` ms for it to be final",
    query: ReadMessageQuery,
    answers: { 200: { description: "The message, final or not", schema: Message } },
    problems: ["invalid_request", "unknown_message"],
    async handle({ params, query, isGone }) {
      const id = messageIdOf(params);
      const mayWait = () => !isGone() && !isDraining();
      return { status: 200, json: await awaitFinal(() => readMessage(snapshot, id), query.wait, mayWait) };
    },
  });
}

function cancelRoute(messenger: Messenger): Route {
  return defineRoute({
    method: "delete",
    path: PATH,
    name: "cancelMessage",
    summary: "Take back a message that is still queued or delayed",
    answers: { 200: { description: "Taken back: it will not be handled", schema: CancelAnswer } },
    problems: ["invalid_request", "unknown_message", "not_cancellable", "outcome_unknown"],
    handle: async ({ params }) => ({ status: 200, json: await messenger.cancel(messageIdOf(params)) }),
  });
}

/** Looks at ever longer intervals; a node that leaves or a client that left ends the wait, not the message. */
async function awaitFinal(
  read: () => Promise<MessageView>,
  waitMs: number,
  mayWait: () => boolean,
): Promise<MessageView> {
  const deadline = performance.now() + waitMs;
  for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 2, LATER_LOOKS_MS)) {
    const message = await read();
    const leftMs = deadline - performance.now();
    if (isFinal(message) || leftMs <= 0 || !mayWait()) return message;
    await delay(Math.min(pauseMs, leftMs));
  }
}

function isFinal({ status }: MessageView): boolean {
  return status !== "queued" && status !== "running";
}

async function readMessage(snapshot: Snapshot, id: string): Promise<MessageView> {
  const message = await snapshot.readMessage(id);
  if (!message) throw unknownMessage();
  return message;
}

function messageIdOf({ id }: Input["params"]): string {
  if (id === undefined || partitionOfMessage(id) === undefined) throw unknownMessage();
  return id;
}

function unknownMessage(): ClusterError {
  return new ClusterError("unknown_message", "no message has this id, or its outcome is no longer kept");
}
