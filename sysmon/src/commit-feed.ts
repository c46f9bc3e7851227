/**
 * The commits of one process as they are made, from the cluster's own event stream. When that breaks off it is opened
 * again, after the last event that was read, so that nothing is told twice or left out.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { CommitFacts } from "@genserverless/shared/inspect/history-feed.ts";
import { createParser } from "eventsource-parser";
import type { ApiClient } from "./api-client.ts";
import type { Commit } from "./view/model.ts";

export interface CommitFeedOptions {
  api: Pick<ApiClient, "open">;
  pid: string;
  /** The pause before the stream is opened again. */
  retryMs?: number;
}

/** Calls `onCommit` for each commit from now on. Returns what ends that. */
export function watchCommits(options: CommitFeedOptions, onCommit: (commit: Commit) => void): () => void {
  const end = new AbortController();
  void follow(options, onCommit, end.signal);
  return () => end.abort();
}

async function follow(
  options: CommitFeedOptions,
  onCommit: (commit: Commit) => void,
  signal: AbortSignal,
): Promise<void> {
  const { api, pid, retryMs = 2_000 } = options;
  let lastId: string | undefined;
  const parser = createParser({
    onEvent: ({ event, id, data }) => {
      lastId = id ?? lastId;
      if (event === "commit" && !signal.aborted) onCommit(describe(JSON.parse(data) as CommitFacts));
    },
  });
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = lastId === undefined ? {} : { "last-event-id": lastId };
      const { statusCode, body } = await api.open("GET", `/v1/processes/${pid}/events`, { headers, signal });
      parser.reset();
      if (statusCode === 200) for await (const text of body.setEncoding("utf8")) parser.feed(text as string);
      else await body.dump();
    } catch {
      // The API is away, or this was ended.
    }
    await delay(retryMs, undefined, { signal, ref: false }).catch(() => {});
  }
}

function describe({ revision, turns, messages }: CommitFacts): Commit {
  return { atMs: Date.now(), revision, turns, messages: messages.map(({ kind, verdict }) => `${kind} ${verdict}`) };
}
