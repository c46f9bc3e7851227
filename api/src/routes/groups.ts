/** Groups of processes: who is in one, and a message to all of them. */

import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { isPidPart, type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import { checkMessage, type Modules } from "../request/check-message.ts";
import type { Input } from "../request/input.ts";
import { REFUSED_POST } from "./messaging.ts";
import { Members, PublishAnswer, PublishRequest, ReadMembersQuery } from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

const PATH = "/v1/groups/:group";
const PAGE = 200;
const LASTS_MS = 20_000;
const MOST_FAILED = 100;

export function groupRoutes(messenger: Messenger, snapshot: Snapshot, modules: Modules): Route[] {
  return [membersRoute(snapshot), publishRoute(messenger, snapshot, modules)];
}

function membersRoute(snapshot: Snapshot): Route {
  return defineRoute({
    method: "get",
    path: PATH,
    name: "readGroup",
    summary: "List the members of a group; a page has about `limit` of them, a small group comes whole",
    query: ReadMembersQuery,
    answers: { 200: { description: "A page", schema: Members } },
    problems: ["invalid_request"],
    handle: async ({ params, query }) => ({ status: 200, json: await snapshot.readMembers(groupOf(params), query) }),
  });
}

function publishRoute(messenger: Messenger, snapshot: Snapshot, modules: Modules): Route {
  return defineRoute({
    method: "post",
    path: `${PATH}/publish`,
    name: "publish",
    summary: "Send an info to every member of a group, for about 20 s",
    body: PublishRequest,
    answers: { 200: { description: "How many were sent", schema: PublishAnswer } },
    problems: REFUSED_POST,
    async handle({ params, body, idempotency: { idempotencyKey } }) {
      const group = groupOf(params);
      // No key that a client can send has a space in it.
      const derived = idempotencyKey === undefined ? undefined : `${idempotencyKey} ${group}`;
      const send = async (pid: Pid) => {
        await checkMessage(modules, splitPid(pid).module, "info", body.message);
        await messenger.info(pid, body.message, { delayMs: 0, idempotencyKey: derived });
      };
      return { status: 200, json: await publish(snapshot, group, body.cursor, send) };
    },
  });
}

async function publish(
  snapshot: Snapshot,
  group: string,
  from: string | undefined,
  send: (pid: Pid) => Promise<unknown>,
): Promise<{ sent: number; failed: { pid: string; code: string }[]; nextCursor?: string }> {
  const endsAt = performance.now() + LASTS_MS;
  const seen = new Set<Pid>();
  const failed: { pid: string; code: string }[] = [];
  let sent = 0;
  const sendTo = async (pid: Pid) => {
    try {
      await send(pid);
      sent++;
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      if (failed.length < MOST_FAILED) failed.push({ pid, code: error.code });
    }
  };
  let cursor = from;
  do {
    const page = await snapshot.readMembers(group, { limit: PAGE, cursor });
    const members = page.members.filter((pid) => !seen.has(pid));
    for (const pid of members) seen.add(pid);
    await Promise.all(members.map(sendTo));
    cursor = page.nextCursor;
  } while (cursor !== undefined && performance.now() < endsAt);
  return { sent, failed, ...(cursor !== undefined && { nextCursor: cursor }) };
}

function groupOf({ group }: Input["params"]): string {
  if (group !== undefined && isPidPart(group)) return group;
  throw new ClusterError("invalid_request", "a group's name is 1 to 128 of A-Z a-z 0-9 . _ ~ -, and not . or ..");
}
