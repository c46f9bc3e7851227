/** The console's app on a listener of its own, over what a test says that the cluster is. */

import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { TiesView } from "@genserverless/shared/inspect/ties-reader.ts";
import type { ClusterView, ProcessView } from "@genserverless/shared/inspect/views.ts";
import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { ApiClient } from "../api-client.ts";
import { createFunctionEyes } from "../functions.ts";
import { History } from "../history.ts";
import type { LogSource } from "../log-source.ts";
import { clusterView } from "../view/sample.test-support.ts";
import { Watch } from "../watch.ts";
import { Access } from "./access.ts";
import { type AppOptions, createApp } from "./app.ts";
import { WebServer } from "./server.ts";
import { Sessions } from "./sessions.ts";

export const TOKEN = "may-act";
export const READ_TOKEN = "may-read";

export interface ServeOptions {
  readCluster?: () => Promise<ClusterView>;
  beatMs?: number;
  hasOpenCounts?: boolean;
  sessions?: Sessions;
  allowedHosts?: string[];
  /** The cluster's API. */
  api?: RequestListener;
  snapshot?: Partial<AppOptions["snapshot"]>;
  ties?: TiesView;
  logs?: LogSource;
}

type Ask = (path: string, init?: RequestInit) => Promise<Response>;

export interface Served {
  url: string;
  /** With no token. */
  ask: Ask;
  /** With the token that may act. */
  askAsOperator: Ask;
  history: History;
}

export async function serveConsole(t: TestContext, options: ServeOptions = {}): Promise<Served> {
  const { readCluster = async () => clusterView(), beatMs = 60_000, hasOpenCounts = true } = options;
  const events = new Events();
  const watch = new Watch({ readCluster, events, beatMs, patienceMs: 50 });
  const history = new History({ watch });
  const api = new ApiClient({
    url: options.api ? await listen(t, options.api) : "http://127.0.0.1:1",
    token: "inside",
  });
  const access = new Access({
    tokens: { act: TOKEN, read: READ_TOKEN },
    hasOpenCounts,
    sessions: options.sessions ?? new Sessions(),
  });
  const app = createApp({
    watch,
    history,
    logs: options.logs ?? { subscribe: () => () => {} },
    api,
    functions: createFunctionEyes(api),
    access,
    ...(options.allowedHosts && { allowedHosts: options.allowedHosts }),
    events,
    snapshot: { ...noProcesses, ...options.snapshot },
    readTies: async () => options.ties,
    servedBy: "sysmon@sysmon-1",
  });
  const server = new WebServer({ app, host: "127.0.0.1", port: 0, events, stopWithinMs: 50 });
  await server.start();
  t.after(async () => {
    await server.stop();
    await api.close();
  });
  const url = server.url ?? "";
  const ask: Ask = (path, init) => fetch(`${url}${path}`, init);
  const askAsOperator: Ask = (path, init) =>
    ask(path, { ...init, headers: { ...init?.headers, authorization: `Bearer ${TOKEN}` } });
  return { url, ask, askAsOperator, history };
}

const noProcesses: AppOptions["snapshot"] = {
  listProcesses: async () => ({ processes: [] }),
  readProcess: async () => undefined,
  readMailbox: async () => undefined,
  readDeadLetters: async () => [],
};

export function processView(process: Partial<ProcessView> = {}): ProcessView {
  return {
    pid: "stack/a",
    module: "stack",
    key: "a",
    status: "idle",
    tags: [],
    moduleVersion: 1,
    revision: 3,
    epoch: 1,
    owner: null,
    turns: 3,
    mailbox: { waiting: 0, delayed: 0, failed: 0 },
    startedAt: "2026-03-01T11:56:56.000Z",
    updatedAt: "2026-03-01T11:56:56.000Z",
    ...process,
  };
}

/** A log that tells what it is given: entries with an id after `afterId`, else the last `tail`. */
export class SampleLog implements LogSource {
  readonly #entries: LogEntry[] = [];
  readonly #listeners = new Set<(entry: LogEntry) => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  write(entry: LogEntry): void {
    this.#entries.push(entry);
    for (const listener of this.#listeners) listener(entry);
  }

  subscribe({ tail = 0, afterId }: { tail?: number; afterId?: string }, onEntry: (entry: LogEntry) => void) {
    const told = afterId ? this.#entries.filter(({ id }) => id > afterId) : this.#entries.slice(-tail);
    for (const entry of told) onEntry(entry);
    this.#listeners.add(onEntry);
    return () => void this.#listeners.delete(onEntry);
  }
}

async function listen(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface SentEvent {
  event: string;
  id?: string;
  data: unknown;
}

/** Server-sent events of an answer, until there are so many, or one is the last. */
export async function readEvents(
  response: Response,
  until: number | ((event: SentEvent) => boolean),
): Promise<SentEvent[]> {
  const isEnough = () => (typeof until === "number" ? events.length >= until : events.some(until));
  const events: SentEvent[] = [];
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(
        block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      const [event, id, data] = [fields.get("event"), fields.get("id"), fields.get("data")];
      if (event && data) events.push({ event, ...(id !== undefined && { id }), data: JSON.parse(data) });
    }
    if (isEnough()) break;
  }
  return events;
}
