/** Functions to look at, for the tests of both skins: what the API answers, and the snapshot that is made of it. */

import type { FunctionView } from "@genserverless/shared/functions/views.ts";
import type { FunctionsView, ListedProject } from "../functions.ts";

const COMMIT = "1f2e3d4c5b6a79880716253443526170f1e2d3c4";

export function functionView(changes: Partial<FunctionView> = {}): FunctionView {
  return {
    project: "alice-shop",
    name: "API",
    type: "http",
    url: "/invoke/alice-shop/API",
    commit: COMMIT,
    timeoutMs: 30_000,
    memoryMb: 128,
    concurrency: 8,
    keepWarm: 0,
    invocations: 1204,
    failures: 3,
    timeouts: 1,
    refused: 0,
    coldStarts: 5,
    lastColdStartMs: 165,
    meanMs: 12.3,
    sandboxes: { warm: 2, busy: 1, waiting: 0 },
    ...changes,
  };
}

export function cronView(changes: Partial<FunctionView> = {}): FunctionView {
  const { url: _, ...view } = functionView();
  return {
    ...view,
    name: "Ticker",
    type: "cron",
    schedule: "*/1 * * * *",
    timezone: "UTC",
    nextAt: "2026-03-01T12:00:23Z",
    concurrency: 1,
    invocations: 7,
    failures: 0,
    timeouts: 0,
    sandboxes: { warm: 0, busy: 0, waiting: 0 },
    ...changes,
  };
}

export function projectView(changes: Partial<ListedProject> = {}): ListedProject {
  return {
    name: "alice-shop",
    repository: "https://github.com/alice/shop",
    status: "ready",
    current: 3,
    commit: COMMIT,
    functions: [functionView(), cronView()],
    ...changes,
  };
}

export function functionsView(projects: ListedProject[] = [projectView()]): FunctionsView {
  return { projects, sandboxes: { warm: 2, busy: 1 } };
}
