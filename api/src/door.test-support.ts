/** A listening door for tests: an app that must refuse what it is asked, for there is no cluster behind it. */

import { request as send } from "node:http";
import type { Control } from "@genserverless/shared/cluster/control.ts";
import type { DeadLetters } from "@genserverless/shared/cluster/dead-letters.ts";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Transfer } from "@genserverless/shared/cluster/transfer.ts";
import { FunctionsClient } from "@genserverless/shared/functions/functions-client.ts";
import type { HistoryFeed } from "@genserverless/shared/inspect/history-feed.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { LogFeed } from "@genserverless/shared/logs/log-feed.ts";
import { createNodeRegistry } from "@genserverless/shared/metrics/node-metrics.ts";
import { Events } from "@genserverless/shared/service/events.ts";
import { createLog } from "@genserverless/shared/service/log.ts";
import { NO_TRACER } from "@genserverless/shared/trace/tracer.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import { type AppParts, createDoor } from "./app.ts";
import { Leases } from "./functions/leases.ts";
import type { ProjectsReader } from "./functions/projects.ts";
import { Relay } from "./functions/relay.ts";
import { ApiMetrics } from "./metrics.ts";
import type { JournalParts } from "./routes/journal.ts";
import { ApiServer } from "./server.ts";
import { RequestTracing } from "./tracing.ts";

export interface Answered {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  json: Record<string, unknown>;
}

export interface Asked {
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export interface Door extends AsyncDisposable {
  port: number;
  parts: AppParts;
  ask(method: string, path: string, asked?: Asked): Promise<Answered>;
}

/** Whatever is called of it throws, and the door would answer `internal_error`. */
function nothingBehind<T>(name: string): T {
  const get = (_: object, method: string | symbol) => () => {
    throw new Error(`${name}.${String(method)} was reached`);
  };
  return new Proxy({}, { get }) as T;
}

const NO_MODULES: ReadonlyMap<string, ServerModule> = new Map();

export function partsForRefusing(): AppParts {
  return {
    messenger: nothingBehind<Messenger>("messenger"),
    snapshot: nothingBehind<Snapshot>("snapshot"),
    control: nothingBehind<Control>("control"),
    deadLetters: nothingBehind<DeadLetters>("deadLetters"),
    transfer: nothingBehind<Transfer>("transfer"),
    modules: () => NO_MODULES,
    tryMigration: () => Promise.reject(new Error("a migration was tried")),
    metrics: new ApiMetrics(createNodeRegistry({ events: new Events() })),
    tracing: new RequestTracing(NO_TRACER),
    history: nothingBehind<HistoryFeed>("history"),
    journal: {
      reader: nothingBehind<JournalParts["reader"]>("reader"),
      states: nothingBehind<JournalParts["states"]>("states"),
      feed: nothingBehind<JournalParts["feed"]>("feed"),
    },
    functions: {
      client: new FunctionsClient(undefined),
      projects: nothingBehind<ProjectsReader>("projects"),
      leases: new Leases(undefined),
      relay: new Relay(undefined, "api@test", () => false),
      webhookSecret: undefined,
      isOpen: false,
    },
    logs: nothingBehind<LogFeed>("logs"),
    log: createLog("test", { LOG_LEVEL: "silent" }),
    name: "api@test",
    isOpen: () => true,
    isDraining: () => false,
  };
}

export async function openDoor(changed: Partial<AppParts> = {}): Promise<Door> {
  const parts = { ...partsForRefusing(), ...changed };
  const { name, metrics } = parts;
  const inFlight = () => metrics.inFlight;
  const events = new Events();
  const server = new ApiServer({
    app: createDoor(parts),
    host: "127.0.0.1",
    port: 0,
    drainMs: 0,
    name,
    events,
    inFlight,
  });
  await server.start();
  const port = server.address?.port ?? 0;
  return {
    port,
    parts,
    ask: (method, path, asked = {}) => ask(port, method, path, asked),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

function ask(port: number, method: string, path: string, { headers = {}, body }: Asked): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const req = send({ port, method, path, headers, agent: false }, async (res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of res) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const isJson = /json$/.test(res.headers["content-type"] ?? "") && text !== "";
      resolve({ status: res.statusCode ?? 0, headers: res.headers, text, json: isJson ? JSON.parse(text) : {} });
    });
    req.on("error", reject);
    req.end(body);
  });
}
