/** The commits of one process as they are made, from the cluster's own event stream. */

import type { CommitFacts } from "@genserverless/shared/inspect/history-feed.ts";
import { type EventFeedOptions, followEvents } from "./event-feed.ts";
import type { Commit } from "./view/model.ts";

export interface CommitFeedOptions extends Omit<EventFeedOptions, "path"> {
  pid: string;
}

/** Calls `onCommit` for each commit from now on. Returns what ends that. */
export function watchCommits({ pid, ...feed }: CommitFeedOptions, onCommit: (commit: Commit) => void): () => void {
  return followEvents({ ...feed, path: `/v1/processes/${pid}/events` }, (event, data) => {
    if (event === "commit") onCommit(describe(JSON.parse(data) as CommitFacts));
  });
}

function describe({ revision, turns, messages }: CommitFacts): Commit {
  return { atMs: Date.now(), revision, turns, messages: messages.map(({ kind, verdict }) => `${kind} ${verdict}`) };
}
