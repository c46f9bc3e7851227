/**
 * W10: a warm function held against its own handler behind the same load balancer; how long cold ones take; and how late a
 * hundred cron functions are that are due at the same time.
 */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderConfig } from "@genserverless/haproxy/render.ts";
import { findFreePort } from "@genserverless/local/ports.ts";
import { ensureServers } from "@genserverless/local/servers.ts";
import { Lifecycle, type Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Files, GitRepository } from "../../test/functions/git-repository.ts";
import { Child, nodeChild } from "../../test/tools/child.ts";
import { until } from "../../test/tools/until.ts";
import { WrongCounters } from "./counter-check.ts";
import type { Address } from "./load/load.ts";
import { runLoad } from "./load/load.ts";
import { type Measurement, measureLoad } from "./measurement.ts";
import { OurCluster } from "./our-cluster.ts";
import { median, percentile } from "./statistics.ts";
import { alignTable, formatErrors } from "./table.ts";

export type FunctionWay = "handler" | "function";

export interface FunctionResult {
  handler: Measurement;
  function: Measurement;
  /** The function divided by the handler. */
  ratio: { rps: number; p50Ms: number; cpuMsPerCall: number };
  coldStarts: { count: number; medianMs: number; slowestMs: number };
  crons: CronLateness;
}

/** From the tick on, in ms; the last of them all. */
export interface CronLateness {
  functions: number;
  lastDueMs: number;
  lastStartedMs: number;
}

interface Run {
  status: string;
  dueAt: string;
  startedAt?: string;
}

const UP_WITHIN_MS = 15_000;
const BUILT_WITHIN_MS = 60_000;
const WARM_UP_SECONDS = 2;
const COLD = 20;
const CRONS = 100;
const MINUTE_MS = 60_000;
const HANDLER = `(req, res) => { res.writeHead(200, { "content-type": "text/plain", "content-length": 13 }); res.end("Hello, World!"); }`;

export class FunctionsRoad implements Part {
  readonly #cluster = new OurCluster(undefined, { FUNCTIONS_GIT_FOLDERS: "/" });
  readonly #repositories: GitRepository[] = [];
  #floor: Child[] = [];
  #parts: Lifecycle | undefined;
  #folder = "";
  #port = 0;

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "functions-road-"));
    const file = join(this.#folder, "functions.cjs");
    await writeFile(file, `exports.hello = ${HANDLER};\n`);
    const port = await findFreePort();
    const env = { PORT: String(port), NODE_ENV: "production" };
    const server = nodeChild({
      name: "handler",
      script: join(import.meta.dirname, "floor/handler.ts"),
      args: [file],
      env,
    });
    this.#floor = [server, await this.#planBalancer(port)];
    this.#parts = new Lifecycle([...this.#floor, this.#cluster]);
    await this.#parts.start();
    const isUp = async () => (await fetch(`http://127.0.0.1:${this.#port}/`)).ok;
    await until(isUp, { withinMs: UP_WITHIN_MS, what: "the handler answers" });
    await this.#deploy("hello", { hello: "type: http" }, HANDLER);
  }

  async stop(): Promise<void> {
    await this.#parts?.stop();
    for (const repository of this.#repositories) repository.remove();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  async measure(way: FunctionWay, seconds: number): Promise<Measurement> {
    const floor = { address: { host: "127.0.0.1", port: this.#port }, rootPids: this.#floor.map(({ pid }) => pid) };
    const { address, rootPids } = way === "handler" ? floor : this.#cluster;
    const requests = [get(way === "handler" ? "/" : "/invoke/bench-hello/hello")];
    await runLoad({ address, connections: 1, requests, seconds: WARM_UP_SECONDS });
    const { measurement } = await measureLoad(
      { name: "ours", address, rootPids },
      { connections: 1, requests, seconds },
    );
    if (Object.keys(measurement.errors).length === 0) return measurement;
    throw new WrongCounters(`requests failed: ${formatErrors(measurement.errors)}`);
  }

  /** The first request to each of some functions, one after the other. */
  async measureColdStarts(): Promise<FunctionResult["coldStarts"]> {
    const names = Array.from({ length: COLD }, (_, index) => `cold${index}`);
    await this.#deploy("cold", Object.fromEntries(names.map((name) => [name, "type: http"])), HANDLER);
    const took: number[] = [];
    for (const name of names) {
      const startedAt = performance.now();
      const answer = await this.#fetch(`/invoke/bench-cold/${name}`);
      await answer.text();
      if (answer.headers.get("x-function-cold-start") !== "1") throw new Error(`${name} was warm, or ${answer.status}`);
      took.push(performance.now() - startedAt);
    }
    return {
      count: COLD,
      medianMs: median(took),
      slowestMs: percentile(
        took.sort((a, b) => a - b),
        1,
      ),
    };
  }

  /** All of them at the next full minute. */
  async measureCrons(): Promise<CronLateness> {
    const names = Array.from({ length: CRONS }, (_, index) => `tick${index}`);
    const settings = Object.fromEntries(names.map((name) => [name, 'type: cron\n  schedule: "* * * * *"']));
    await this.#deploy("crons", settings, "() => {}");
    const runs = await until(() => this.#readRuns(names), {
      withinMs: 2 * MINUTE_MS,
      everyMs: 1_000,
      what: "every cron function has run",
    });
    const lateness = (time: string) => Date.parse(time) % MINUTE_MS;
    return {
      functions: CRONS,
      lastDueMs: Math.max(...runs.map(({ dueAt }) => lateness(dueAt))),
      lastStartedMs: Math.max(...runs.map(({ startedAt = "" }) => lateness(startedAt))),
    };
  }

  /** The first run of each. */
  async #readRuns(names: readonly string[]): Promise<Run[]> {
    return Promise.all(
      names.map(async (name) => {
        const { runs } = (await (await this.#fetch(`/api/projects/bench-crons/functions/${name}`)).json()) as {
          runs: Run[];
        };
        const first = runs.at(-1);
        if (first?.status === "completed") return first;
        throw new Error(`${name}: ${first?.status ?? "not due"}`);
      }),
    );
  }

  async #deploy(name: string, settings: Record<string, string>, source: string): Promise<void> {
    const repository = new GitRepository(name, "bench");
    this.#repositories.push(repository);
    repository.commit(makeProject(settings, source));
    const body = JSON.stringify({ repository: repository.path });
    const headers = { "content-type": "application/json" };
    const answer = await this.#fetch("/api/projects", { method: "POST", body, headers });
    const location = answer.headers.get("location");
    if (location === null) throw new Error(`${name} was not deployed: ${await answer.text()}`);
    const isReady = async () => {
      const { status, reason } = (await (await this.#fetch(location)).json()) as Record<string, unknown>;
      if (status === "failed") throw new Error(JSON.stringify(reason));
      return status === "ready";
    };
    await until(isReady, { withinMs: BUILT_WITHIN_MS, what: `${name} is built` });
  }

  #fetch(path: string, options: RequestInit = {}): Promise<Response> {
    const { host, port }: Address = this.#cluster.address;
    return fetch(`http://${host}:${port}${path}`, options);
  }

  async #planBalancer(serverPort: number): Promise<Child> {
    const { haproxy } = await ensureServers(["haproxy"]);
    this.#port = await findFreePort();
    const file = join(this.#folder, "haproxy.cfg");
    const statsBind = `127.0.0.1:${await findFreePort()}`;
    await writeFile(
      file,
      renderConfig({ bind: `127.0.0.1:${this.#port}`, statsBind, apis: [`127.0.0.1:${serverPort}`] }),
    );
    return new Child({ name: "haproxy", command: haproxy, args: ["-db", "-f", file] });
  }
}

function makeProject(settings: Record<string, string>, source: string): Files {
  const names = Object.keys(settings);
  const manifest = names.map((name) => `- name: ${name}\n  ${settings[name]}\n`).join("");
  return {
    ".eserveless.yaml": `runtime: node\nfunctions:\n${manifest}`,
    "functions.js": names.map((name) => `exports.${name} = ${source};\n`).join(""),
  };
}

function get(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
}

export function compareFunctions(
  measured: Record<FunctionWay, Measurement>,
  coldStarts: FunctionResult["coldStarts"],
  crons: CronLateness,
): FunctionResult {
  const { handler, function: ours } = measured;
  const ratio = {
    rps: ours.rps / handler.rps,
    p50Ms: ours.p50Ms / handler.p50Ms,
    cpuMsPerCall: ours.cpuMsPerCall / handler.cpuMsPerCall,
  };
  return { handler, function: ours, ratio, coldStarts, crons };
}

export function formatFunctions(name: string, result: FunctionResult): string {
  const { handler, function: ours, ratio, coldStarts, crons } = result;
  const row = (who: string, { rps, p50Ms, p99Ms, cpuMsPerCall, calls }: Measurement) => [
    ...[name, who, rps.toFixed(0), p50Ms.toFixed(2), p99Ms.toFixed(2), cpuMsPerCall.toFixed(3), String(calls)],
  ];
  const warm = alignTable([
    ["", "1 connection", "req/s", "p50 ms", "p99 ms", "CPU-ms/call", "calls"],
    row("handler", handler),
    row("function", ours),
    [name, "function / handler", ratio.rps.toFixed(2), ratio.p50Ms.toFixed(2), "", ratio.cpuMsPerCall.toFixed(2), ""],
  ]);
  const others = alignTable([
    ["", "", "how many", "median ms", "slowest ms"],
    [name, "cold start", String(coldStarts.count), coldStarts.medianMs.toFixed(0), coldStarts.slowestMs.toFixed(0)],
    [name, "cron functions due at once: recorded", String(crons.functions), "", crons.lastDueMs.toFixed(0)],
    [name, "and started", String(crons.functions), "", crons.lastStartedMs.toFixed(0)],
  ]);
  return `${warm}\n\n${others}`;
}
