/** A cluster with a functions service, and its projects as people use them: through the api. */

import assert from "node:assert/strict";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { TestCluster, type TestClusterOptions } from "../tools/test-cluster.ts";
import { until } from "../tools/until.ts";
import { FunctionsService, TOKEN } from "./functions-service.ts";
import { type Files, GitRepository } from "./git-repository.ts";

export interface FunctionsClusterOptions extends TestClusterOptions {
  /** Settings of the functions service. */
  service?: Record<string, string>;
}

export interface Answered {
  status: number;
  headers: Headers;
  text: string;
  /** Of an answer that is JSON. */
  json: Record<string, unknown>;
}

export interface Deployed {
  project: string;
  number: number;
}

export interface LogLine {
  stream: "stdout" | "stderr" | "service";
  text: string;
  at: string;
  commit: string;
}

export interface FunctionView {
  nextAt?: string;
  refused: number;
  sandboxes: { warm: number; busy: number; waiting: number };
  /** Of a cron or event function, newest first. */
  runs: { id: string; status: string; dueAt: string; startedAt?: string }[];
  counts: Record<string, number>;
}

export class FunctionsCluster implements Part {
  readonly #options: FunctionsClusterOptions;
  #service: FunctionsService | undefined;
  #cluster: TestCluster | undefined;

  constructor(options: FunctionsClusterOptions = {}) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const port = await findFreePort();
    const { service, env, ...options } = this.#options;
    this.#service = new FunctionsService({ FUNCTIONS_PORT: String(port), ...service });
    const access = { FUNCTIONS_URL: `http://127.0.0.1:${port}`, FUNCTIONS_TOKEN: TOKEN };
    this.#cluster = new TestCluster({ modulesDir: "functions/modules", ...options, env: { ...access, ...env } });
    await Promise.all([this.#service.start(), this.#cluster.start()]);
  }

  async stop(): Promise<void> {
    await this.#cluster?.stop();
    await this.#service?.stop();
  }

  get service(): FunctionsService {
    assert.ok(this.#service, "not started");
    return this.#service;
  }

  get cluster(): TestCluster {
    assert.ok(this.#cluster, "not started");
    return this.#cluster;
  }

  get url(): string {
    return this.cluster.urls[0] ?? assert.fail("no api is alive");
  }

  makeRepository(files: Files, name: string = crypto.randomUUID()): GitRepository {
    return this.service.makeRepository(files, name);
  }

  async ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await fetch(this.url + path, {
      method,
      headers: { ...type, ...headers },
      ...sent,
      redirect: "manual",
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get("content-type") ?? "");
    return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : {} };
  }

  /** Deploys what a repository is at, to the end of its build; fails where that is not ready. */
  async deploy(repository: GitRepository | Files, ref?: string): Promise<Deployed> {
    const { path } = repository instanceof GitRepository ? repository : this.makeRepository(repository);
    const answer = await this.ask("POST", "/api/projects", { repository: path, ref });
    assert.equal(answer.status, 200, answer.text);
    const { project, deployment } = await this.untilBuilt(answer);
    assert.equal(deployment["status"], "ready", JSON.stringify(deployment));
    return { project, number: Number(deployment["number"]) };
  }

  /** The deployment that an answer is about, when its build has ended. */
  async untilBuilt({ headers, text }: Answered): Promise<{ project: string; deployment: Record<string, unknown> }> {
    const location = headers.get("location") ?? assert.fail(`no deployment: ${text}`);
    const deployment = await until(
      async () => {
        const { json } = await this.ask("GET", location);
        return json["status"] === "building" ? undefined : json;
      },
      { withinMs: 60_000, what: `the build of ${location} ends` },
    );
    return { project: location.split("/")[3] ?? "", deployment };
  }

  async readFunction(project: string, name: string): Promise<FunctionView> {
    const { status, text, json } = await this.ask("GET", `/api/projects/${project}/functions/${name}`);
    assert.equal(status, 200, text);
    return json as unknown as FunctionView;
  }

  /** What a function has printed until now, and what the service says about it. */
  async readLog(project: string, name: string): Promise<LogLine[]> {
    const { text } = await this.ask("GET", `/logs/${project}/${name}?follow=false`);
    return text.split("\n").flatMap((line) => (line.startsWith("data: ") ? [JSON.parse(line.slice(6))] : []));
  }

  /** The first line that matches. */
  async untilLogged(project: string, name: string, match: RegExp): Promise<LogLine> {
    const find = async () => (await this.readLog(project, name)).find(({ text }) => match.test(text));
    return until(find, { withinMs: 20_000, what: `${name} prints ${match}` });
  }
}
