/** Many casts in one request. */

import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import { type Pid, splitPid, toPid } from "@genserverless/shared/process/pid.ts";
import { ClusterError, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { z } from "zod";
import { checkMessage, type Modules } from "../request/check-message.ts";
import { problemDocument } from "../respond.ts";
import { REFUSED_POST } from "./messaging.ts";
import { BatchAnswer, BatchRequest } from "./operate-schemas.ts";
import { defineRoute, type Route } from "./route.ts";

type Cast = z.infer<typeof BatchRequest>["casts"][number];

interface Parts {
  messenger: Messenger;
  modules: Modules;
}

type Result = { messageId: string } | { problem: object };

/** After one of these the rest of a process's casts would fare no better, and would wait as long to be told so. */
const HOPELESS: readonly ErrorCode[] = ["redis_unavailable", "outcome_unknown", "storage_full"];

export function batchRoutes(messenger: Messenger, modules: Modules): Route[] {
  return [
    defineRoute({
      method: "post",
      path: "/v1/batch",
      name: "batch",
      summary: "Leave up to 1,000 casts, each with a result of its own, in order; those for one process in their order",
      body: BatchRequest,
      answers: { 200: { description: "What became of each", schema: BatchAnswer } },
      problems: REFUSED_POST,
      async handle({ body, idempotency }) {
        const results = await sendAll({ messenger, modules }, body.casts, idempotency.idempotencyKey);
        return { status: 200, json: { accepted: results.filter((result) => "messageId" in result).length, results } };
      },
    }),
  ];
}

/** Those for one process go one after the other, for what is sent again after a lost answer must not be overtaken. */
async function sendAll(parts: Parts, casts: readonly Cast[], key: string | undefined): Promise<Result[]> {
  const results: Result[] = new Array(casts.length);
  const lanes = Map.groupBy(casts.keys(), (index) => pidOf(casts[index] as Cast));
  const send = async (pid: Pid, indexes: readonly number[]) => {
    let hopeless: Result | undefined;
    for (const index of indexes) {
      results[index] = hopeless ?? (await sendOne(parts, pid, casts[index] as Cast, derive(key, index)));
      if (isHopeless(results[index])) hopeless = results[index];
    }
  };
  await Promise.all([...lanes].map(([pid, indexes]) => send(pid, indexes)));
  return results;
}

async function sendOne({ messenger, modules }: Parts, pid: Pid, cast: Cast, derived?: string): Promise<Result> {
  const { message, delayMs, idempotencyKey = derived } = cast;
  try {
    await checkMessage(modules, splitPid(pid).module, "cast", message);
    const { messageId } = await messenger.cast(pid, message, { delayMs, idempotencyKey });
    return { messageId };
  } catch (error) {
    if (error instanceof ClusterError) return { problem: problemDocument(error) };
    throw error;
  }
}

function isHopeless(result: Result | undefined): boolean {
  return result !== undefined && "problem" in result && HOPELESS.includes((result.problem as { code: ErrorCode }).code);
}

/** No key that a client can send has a space in it. */
function derive(key: string | undefined, index: number): string | undefined {
  return key === undefined ? undefined : `${key} ${index}`;
}

function pidOf({ pid, module = "", key = "" }: Cast): Pid {
  return (pid ?? toPid(module, key)) as Pid;
}
