/** The functions service as a whole: what it is made of, and in which order its parts begin and end. */

import { join } from "node:path";
import type { EventStream } from "@genserverless/shared/service/event-stream.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import { Lifecycle, type Part } from "@genserverless/shared/service/lifecycle.ts";
import { collectDefaultMetrics, Registry } from "prom-client";
import { Builds } from "./build/builds.ts";
import type { FunctionsSettings } from "./config.ts";
import { FunctionsServer } from "./http/server.ts";
import { Leases } from "./leases/leases.ts";
import { FunctionLogs } from "./logs/function-logs.ts";
import { Figures } from "./pool/figures.ts";
import { Pools } from "./pool/pools.ts";
import { Runs } from "./runs/runs.ts";
import { Doors } from "./sandbox/door.ts";
import { findPrograms } from "./sandbox/isolation.ts";
import { Sandboxes } from "./sandbox/sandboxes.ts";
import { SandboxWatch } from "./sandbox/watch.ts";
import { Checkouts } from "./source/checkouts.ts";
import { Git } from "./source/git.ts";
import { DataDir } from "./store/data-dir.ts";
import { Projects } from "./store/projects.ts";

const MOST_PROJECTS = 5_000;
const MOST_FILES = 20_000;
const GIT_WITHIN_MS = 120_000;

export class FunctionsService implements Part {
  readonly #server: FunctionsServer;
  readonly #lifecycle: Lifecycle;

  constructor(settings: FunctionsSettings, events: Events) {
    const { mostRepositoryBytes, gitHosts, gitFolders, sshKeyFile } = settings;
    const dataDir = new DataDir(settings.dataDir);
    const projects = new Projects(dataDir, { first: settings.firstUid, count: MOST_PROJECTS });
    const { prlimit } = findPrograms();
    const git = new Git({
      home: join(settings.dataDir, "git"),
      mostFileBytes: mostRepositoryBytes,
      timeoutMs: GIT_WITHIN_MS,
      ...(prlimit && { prlimit }),
      ...(sshKeyFile && { sshKeyFile }),
    });
    const rules = { hosts: gitHosts, folders: gitFolders };
    const limits = { mostFiles: MOST_FILES, mostBytes: mostRepositoryBytes };
    const checkouts = new Checkouts({ dataDir, projects, git, rules, limits, events });
    const sandboxes = new Sandboxes({ dataDir, wanted: settings, events });
    const { buildsAtOnce: atOnce, mostBuildBytes: mostBytes } = settings;
    const builds = new Builds({ ...settings, dataDir, projects, checkouts, sandboxes, events, atOnce, mostBytes });
    const logs = new FunctionLogs();
    const doors = new Doors(join(settings.dataDir, "doors"));
    const registry = new Registry();
    collectDefaultMetrics({ register: registry });
    const pools: Pools = new Pools({
      ...settings,
      builds,
      projects,
      sandboxes,
      logs,
      figures: () => figures,
      leases: () => leases,
      doors,
      events,
    });
    const figures = new Figures(registry, () => pools.count());
    const leases = new Leases(figures);
    const runs = new Runs({ path: join(settings.dataDir, "runs"), pools, figures, events });
    const watch = new SandboxWatch(() => pools.sandboxes());
    const streams = new Set<EventStream>();
    const parts = { projects, checkouts, builds, pools, runs, leases, logs, figures, registry, streams };
    this.#server = new FunctionsServer({ ...settings, parts, events });
    const store = {
      async start() {
        await dataDir.open();
        await doors.open();
        await projects.load();
        await git.prepare();
      },
      async stop() {},
    };
    const building = { async start() {}, stop: () => builds.stop() };
    this.#lifecycle = new Lifecycle([store, checkouts, sandboxes, building, watch, pools, runs, this.#server]);
  }

  /** Where it listens, once it has started. */
  get port(): number | undefined {
    return this.#server.address?.port;
  }

  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  stop(): Promise<void> {
    return this.#lifecycle.stop();
  }
}
