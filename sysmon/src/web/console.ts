/** The web console as a part of sysmon: its tokens, its app, its listener. */

import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import { readTies } from "@genserverless/shared/inspect/ties-reader.ts";
import type { RedisLink } from "@genserverless/shared/redis/connection.ts";
import type { Keys } from "@genserverless/shared/redis/keys.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { ApiClient } from "../api-client.ts";
import type { Config } from "../config.ts";
import type { FunctionEyes } from "../functions.ts";
import type { History } from "../history.ts";
import type { LogSource } from "../log-source.ts";
import type { Watch } from "../watch.ts";
import { Access } from "./access.ts";
import { createApp } from "./app.ts";
import { WebServer } from "./server.ts";
import { readTokens } from "./tokens.ts";

export interface ConsoleOptions {
  config: Config;
  env: Record<string, string | undefined>;
  watch: Watch;
  history: History;
  logs: LogSource;
  api: ApiClient;
  functions: FunctionEyes;
  snapshot: Snapshot;
  link: RedisLink;
  keys: Keys;
  events: Events;
  /** The node's name. */
  name: string;
}

export function createConsole(options: ConsoleOptions): Part {
  const { config, env, watch, history, logs, api, functions, snapshot, link, keys, events, name } = options;
  const tokens = readTokens(env);
  const access = new Access({ tokens, hasOpenCounts: config.hasOpenCounts });
  const app = createApp({
    watch,
    history,
    logs,
    api,
    functions,
    access,
    allowedHosts: config.allowedHosts,
    events,
    snapshot,
    readTies: (pid) => readTies(link, keys, pid),
    servedBy: name,
  });
  const server = new WebServer({ ...config, app, events });
  return {
    async start() {
      await server.start();
      // Not as an event: the log goes to places that more people read than may act.
      if (tokens.isNew) console.error(`console ${signInLink(server.url, tokens.act)}`);
    },
    stop: () => server.stop(),
  };
}

/** What follows the hash never leaves the browser. */
function signInLink(url = "", token: string): string {
  return `${url.replace(/\/\/(0\.0\.0\.0|\[::\]):/, "//127.0.0.1:")}/#token=${token}`;
}
