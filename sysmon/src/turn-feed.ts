/** The turns of one process as they are committed, from the cluster's own event stream. Goes on by itself when it breaks off. */

import { setTimeout as delay } from "node:timers/promises";
import type { ApiClient } from "./api-client.ts";
import type { Turn } from "./view/model.ts";

interface Commit {
  revision: number;
  turns: number;
  messages?: { kind: string; verdict?: string }[];
}

const AGAIN_MS = 2_000;

/** Calls `onTurn` for each commit from now on. Returns what ends that. */
export function watchTurns(api: ApiClient, pid: string, onTurn: (turn: Turn) => void): () => void {
  const end = new AbortController();
  void follow(api, pid, onTurn, end.signal);
  return () => end.abort();
}

async function follow(api: ApiClient, pid: string, onTurn: (turn: Turn) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { statusCode, body } = await api.open("GET", `/v1/processes/${pid}/events`, { signal });
      if (statusCode === 200)
        for await (const commit of readCommits(body.setEncoding("utf8"))) onTurn(describe(commit));
      else await body.dump();
    } catch {
      // The API is away, or this was ended.
    }
    await delay(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** Server-sent events end with an empty line each. */
async function* readCommits(chunks: AsyncIterable<string>): AsyncGenerator<Commit> {
  let text = "";
  for await (const chunk of chunks) {
    text += chunk;
    const events = text.split(/\r?\n\r?\n/);
    text = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: ?(.*)$/m.exec(event)?.[1];
      if (data !== undefined && /^event: ?commit$/m.test(event)) yield JSON.parse(data) as Commit;
    }
  }
}

function describe({ revision, turns, messages = [] }: Commit): Turn {
  return {
    atMs: Date.now(),
    revision,
    turns,
    messages: messages.map(({ kind, verdict }) => (verdict ? `${kind} ${verdict}` : kind)),
  };
}
