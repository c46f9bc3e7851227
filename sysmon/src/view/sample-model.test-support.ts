/** A dashboard to look at, for the tests of its views. */

import type { ProcessView } from "@genserverless/shared/inspect/views.ts";
import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import { outlineJson } from "./json-outline.ts";
import type { Model } from "./model.ts";
import { clusterView, SAMPLE_NOW_MS } from "./sample.test-support.ts";
import { functionsView } from "./sample-functions.test-support.ts";

export function processView(process: Partial<ProcessView> = {}): ProcessView {
  return {
    pid: "accumulator/alice",
    module: "accumulator",
    key: "alice",
    status: "idle",
    tags: [],
    moduleVersion: 1,
    revision: 3,
    epoch: 1,
    owner: "worker@vm-1#fc2d32237479",
    turns: 3,
    mailbox: { waiting: 0, delayed: 0, failed: 0 },
    startedAt: "2026-03-01T11:56:56Z",
    updatedAt: "2026-03-01T11:59:48Z",
    ...process,
  };
}

export function logEntry(entry: Partial<LogEntry> = {}): LogEntry {
  return {
    id: "1-0",
    time: new Date(SAMPLE_NOW_MS).toISOString(),
    level: "info",
    node: "worker@vm-1",
    msg: "session.registered",
    ...entry,
  };
}

export function model(changes: Partial<Model> = {}): Model {
  const log = { entries: [logEntry()], filter: "", level: "info", isHeld: false, back: 0 };
  return {
    tab: "nodes",
    picture: { view: clusterView(), ageMs: 0, away: false },
    history: [],
    nowMs: SAMPLE_NOW_MS,
    processes: {
      rows: [processView()],
      chosen: 0,
      page: 1,
      hasNext: false,
      filter: "",
      sort: "none",
      isBusiest: false,
      isLoaded: true,
      error: undefined,
    },
    process: {
      pid: "accumulator/alice",
      view: processView(),
      ties: { timers: [], monitors: [], links: [], groups: [], stateBytes: 13 },
      state: outlineJson({ total: 110 }),
      mailbox: undefined,
      depths: [],
      deadLetters: [],
      commits: [],
      top: 0,
      error: undefined,
    },
    log,
    events: log,
    functions: { view: functionsView(), chosen: 0, page: undefined, error: undefined },
    nodesTop: 0,
    isHelpShown: false,
    helpTop: 0,
    prompt: undefined,
    notice: undefined,
    ...changes,
  };
}
