/**
 * One act on many processes: walks the list and acts on each that matches, a page at a time, all of a page at once. A
 * request takes about 20 s at most; then it says where to go on. What a process refuses does not stop the others.
 */

import type { Control } from "@genserverless/shared/cluster/control.ts";
import type { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { z } from "zod";
import type { BulkAnswer, BulkRequest } from "./routes/operate-schemas.ts";

export interface BulkParts {
  messenger: Messenger;
  snapshot: Snapshot;
  control: Control;
  deadLetters: DeadLetters;
}

type Request = z.infer<typeof BulkRequest>;
type Answer = z.infer<typeof BulkAnswer>;
type Act = (pid: Pid, leftMs: number) => Promise<unknown>;

const LASTS_MS = 20_000;
const PAGE = 100;
const COUNTED_PAGE = 1_000;
const MOST_FAILED = 100;
/** A stop has at least so long to be answered. */
const LEAST_STOP_MS = 1_000;

export async function runBulk(parts: BulkParts, request: Request, idempotencyKey: string | undefined): Promise<Answer> {
  const { filter, dryRun } = request;
  const { all: _, ...named } = filter;
  const endsAt = performance.now() + LASTS_MS;
  const act = toAct(parts, request, idempotencyKey === undefined ? undefined : `${idempotencyKey} bulk`);
  const answer: Answer = { matched: 0, done: 0, failed: [] };
  let { cursor } = request;
  do {
    const { pids, nextCursor } = await parts.snapshot.listPids({
      ...named,
      limit: dryRun ? COUNTED_PAGE : PAGE,
      cursor,
    });
    answer.matched += pids.length;
    if (!dryRun) await actOnAll(pids, (pid) => act(pid, endsAt - performance.now()), answer);
    cursor = nextCursor;
  } while (cursor !== undefined && performance.now() < endsAt);
  return { ...answer, ...(cursor !== undefined && { nextCursor: cursor }) };
}

async function actOnAll(pids: readonly Pid[], act: (pid: Pid) => Promise<unknown>, answer: Answer): Promise<void> {
  const acts = pids.map(async (pid) => {
    try {
      await act(pid);
      answer.done++;
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      if (answer.failed.length < MOST_FAILED) answer.failed.push({ pid, code: error.code });
    }
  });
  await Promise.all(acts);
}

function toAct({ control, deadLetters, messenger }: BulkParts, request: Request, idempotencyKey?: string): Act {
  const { action, reason } = request;
  switch (action) {
    case "kill":
      return (pid) => control.kill(pid, reason ?? "killed", { idempotencyKey });
    case "stop":
      return (pid, leftMs) => {
        const timeoutMs = Math.ceil(Math.max(leftMs, LEAST_STOP_MS));
        return messenger.stopProcess(pid, reason ?? "normal", { timeoutMs, idempotencyKey });
      };
    case "retry-dead-letters":
      return (pid) => deadLetters.retryAll(pid);
    case "drop-dead-letters":
      return (pid) => deadLetters.dropAll(pid);
    default:
      return (pid) => control[action](pid);
  }
}
