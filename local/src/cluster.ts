/**
 * The whole cluster as child processes of this one.
 *
 * Up: what must be settled first (prepare.ts), Redis, then everything else at once – nodes wait for Redis and for each
 * other by themselves – until the load balancer says that calls work, functions can be deployed, and sysmon shows its
 * page. Down: the load balancer first, which lets calls in flight finish, then api nodes and sysmon, workers, the functions
 * service, and Redis last. In between whatever dies is started again, and the session of a node that died is reported dead.
 *
 * A guard watches over this process itself: when it is killed, the guard ends what it had running.
 */

import { setTimeout as delay } from "node:timers/promises";
import { readClusterSettings } from "@genserverless/shared/cluster/settings.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { Child, type ChildExit } from "./child.ts";
import { ChildLog } from "./child-log.ts";
import { DataDir, type RunningChild } from "./data-dir.ts";
import { DeathReporter } from "./death-report.ts";
import { Guard } from "./guard.ts";
import { readBirth } from "./os-process.ts";
import type { PlannedChild, Role } from "./plan.ts";
import { prepareCluster } from "./prepare.ts";
import { askReady } from "./ready.ts";
import { waitForPort } from "./redis-server.ts";
import { type LocalSettings, urlOf } from "./settings.ts";

const READY_POLL_MS = 25;
const WAITING_TOLD_EVERY_MS = 10_000;
const REDIS_START_MS = 2_000;
/** So many deaths in a row before the cluster was ever ready mean that it cannot start. */
const HOPELESS_DEATHS = 3;
const STOP_ORDER: Role[][] = [["lb"], ["api", "sysmon"], ["gateway"], ["worker"], ["functions"], ["redis"]];

/** A child does not start; its own words say why. */
export class StartError extends Error {
  override name = "StartError";
}

export interface ClusterOptions {
  settings: LocalSettings;
  env: Record<string, string | undefined>;
  events: Events;
  /** Takes each log line of the children. */
  print: (line: string) => void;
}

export class Cluster implements Part {
  readonly #options: ClusterOptions;
  readonly #dataDir: DataDir;
  readonly #guard = new Guard();
  readonly #children = new Map<Role, Child[]>();
  readonly #running = new Map<number, RunningChild>();
  readonly #hopeless = Promise.withResolvers<never>();
  #deathReporter: DeathReporter | undefined;
  #isReady = false;
  #consoleUrl = "";
  #stopping: Promise<void> | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#dataDir = new DataDir(options.settings.dataDir);
    this.#hopeless.promise.catch(() => {});
  }

  get url(): string {
    return urlOf(this.#options.settings);
  }

  /** Sysmon's page; known once the cluster has started. */
  get consoleUrl(): string {
    return this.#consoleUrl;
  }

  /** Resolves when calls work and sysmon's page is there. */
  async start(): Promise<void> {
    const { settings, env, events } = this.#options;
    const prepared = await prepareCluster(settings, env, this.#dataDir, events);
    const { children, env: nodeEnv, redisPort, functionsPort } = prepared;
    if (this.#stopping) return;
    this.#consoleUrl = prepared.consoleUrl;
    this.#deathReporter = new DeathReporter(readClusterSettings(nodeEnv));
    this.#guard.start();
    for (const planned of children) this.#add(planned);
    await this.#startChildren(["redis"]);
    if (redisPort) await waitForPort(redisPort, REDIS_START_MS);
    await this.#startChildren(["lb", "api", "worker", "gateway", "functions", "sysmon"]);
    await Promise.race([this.#untilReady(functionsPort), this.#hopeless.promise]);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Ends every node without asking; Redis may write out what it has. */
  kill(): void {
    for (const [role, children] of this.#children) {
      for (const child of children) child.kill(role === "redis" ? "SIGTERM" : "SIGKILL");
    }
  }

  async #stop(): Promise<void> {
    for (const roles of STOP_ORDER) {
      await Promise.all(this.#inRoles(roles).map((child) => child.stop()));
    }
    this.#guard.stop();
    await this.#deathReporter?.stop();
    this.#dataDir.close();
  }

  #add({ role, ...planned }: PlannedChild): void {
    const { name } = planned;
    const child = new Child({
      ...planned,
      log: new ChildLog(name, this.#dataDir.file(`logs/${name}.log`), this.#options.print),
      onStarted: (pid) => {
        this.#running.set(pid, { pid, birth: readBirth(pid), name });
        this.#noteRunning();
        this.#options.events.emit("info", "child.started", { child: name, childPid: pid });
      },
      onExit: (exit) => this.#noteExit(exit),
    });
    this.#children.set(role, [...(this.#children.get(role) ?? []), child]);
  }

  #inRoles(roles: Role[]): Child[] {
    return roles.flatMap((role) => this.#children.get(role) ?? []);
  }

  async #startChildren(roles: Role[]): Promise<void> {
    await Promise.all(this.#inRoles(roles).map((child) => child.start()));
  }

  #noteExit({ name, pid, code, signal, session, deaths, restartsInMs }: ChildExit): void {
    const { events } = this.#options;
    if (this.#running.delete(pid)) this.#noteRunning();
    const isWanted = restartsInMs === undefined;
    const fields = { child: name, childPid: pid, code, signal, restartsInMs };
    events.emit(isWanted ? "info" : "warn", isWanted ? "child.stopped" : "child.died", fields);
    if (isWanted) return;
    if (session) this.#reportDeath(session);
    if (!this.#isReady && code !== null && deaths >= HOPELESS_DEATHS) {
      const words = `its words are above and in ${this.#dataDir.file(`logs/${name}.log`)}`;
      this.#hopeless.reject(new StartError(`${name} does not start (exit code ${code}); ${words}`));
    }
  }

  /** For those who end it when this process is killed: the guard at once, and the next npm start on the same folder. */
  #noteRunning(): void {
    const running = [...this.#running.values()];
    this.#guard.tell(running);
    try {
      this.#dataDir.writeChildren(running);
    } catch (error) {
      this.#options.events.emit("warn", "children.unwritten", { error: String(error) });
    }
  }

  #reportDeath(session: string): void {
    const { events } = this.#options;
    this.#deathReporter?.report(session).then(
      () => events.emit("info", "death.reported", { session }),
      (error: unknown) => events.emit("warn", "death.unreported", { session, error: String(error) }),
    );
  }

  /** Calls work, functions can be deployed, and sysmon shows its page. */
  async #untilReady(functionsPort: number | undefined): Promise<void> {
    await this.#untilAnswers(`${this.url}/ready`);
    if (functionsPort) await this.#untilAnswers(`http://127.0.0.1:${functionsPort}/health`);
    await this.#untilAnswers(`http://127.0.0.1:${this.#options.settings.sysmonPort}/`);
    this.#isReady = true;
    this.#deathReporter?.prepare();
  }

  async #untilAnswers(url: string): Promise<void> {
    let tellAt = performance.now() + WAITING_TOLD_EVERY_MS;
    while (!this.#stopping) {
      const answer = await askReady(url);
      if (answer === "ready") return;
      if (performance.now() > tellAt) {
        this.#options.events.emit("warn", "cluster.waiting", { url, ...answer });
        tellAt = performance.now() + WAITING_TOLD_EVERY_MS;
      }
      await delay(READY_POLL_MS);
    }
  }
}
