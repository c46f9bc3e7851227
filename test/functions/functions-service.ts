/** A functions service of a test's own, as an operating-system process, and what a control plane would ask of it. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolFigures, Run, ServiceFigures } from "@genserverless/shared/functions/functions-client.ts";
import { type Child, nodeChild } from "../tools/child.ts";
import { until } from "../tools/until.ts";
import { type Files, GitRepository } from "./git-repository.ts";

export const TOKEN = "a-token-for-the-tests";
const MAIN = join(import.meta.dirname, "../../functions/src/main.ts");

export interface Deployed {
  project: string;
  commit: string;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
}

export class FunctionsService {
  readonly dataDir = mkdtempSync(join(tmpdir(), "functions-"));
  readonly repositories: GitRepository[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #env: Record<string, string>;
  #child: Child;

  constructor(env: Record<string, string> = {}) {
    this.#env = env;
    this.#child = this.#makeChild();
  }

  async start(): Promise<void> {
    await this.#child.start();
    await this.#child.untilRecord((record) => record["msg"] === "http.listening", {
      withinMs: 60_000,
      what: "listening",
    });
  }

  /** After a stop or a kill: on the same data. */
  async restart(): Promise<void> {
    this.#child = this.#makeChild();
    await this.start();
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#child.stop();
    for (const repository of this.repositories) repository.remove();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  get child(): Child {
    return this.#child;
  }

  get url(): string {
    const record = this.#child.records.find(({ msg }) => msg === "http.listening");
    return `http://127.0.0.1:${record?.["port"]}`;
  }

  async ask(method: string, path: string, body?: unknown): Promise<{ status: number; json: Record<string, unknown> }> {
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text === "" ? {} : JSON.parse(text) };
  }

  makeRepository(files: Files, name?: string): GitRepository {
    const repository = new GitRepository(name);
    this.repositories.push(repository);
    repository.commit(files);
    return repository;
  }

  /** Fetches and builds what a repository's default branch is at; fails where that fails. */
  async deploy(repository: GitRepository | Files): Promise<Deployed> {
    const { path } =
      repository instanceof GitRepository ? repository : this.makeRepository(repository, crypto.randomUUID());
    const { status, json } = await this.ask("POST", "/v1/checkouts", { repository: path });
    assert.equal(status, 200, JSON.stringify(json));
    const { project, commit } = json as unknown as Deployed;
    const build = await this.build({ project, commit });
    assert.equal(build["status"], "ready", JSON.stringify(build));
    return { project, commit };
  }

  /** The build when it has ended. */
  async build({ project, commit }: Deployed): Promise<Record<string, unknown>> {
    const begun = await this.ask("POST", "/v1/builds", { project, commit });
    if (begun.json["status"] !== "building") return begun.json;
    return until(
      async () => {
        const { json } = await this.ask("GET", `/v1/builds/${project}@${commit}`);
        return json["status"] === "building" ? undefined : json;
      },
      { withinMs: 200_000, what: `the build of ${project} ends` },
    );
  }

  /** What becomes of a repository that cannot be deployed: the code, and the words. */
  async refusal(files: Files | GitRepository, ref?: string): Promise<{ code: string; detail: string; status: number }> {
    const { path } = files instanceof GitRepository ? files : this.makeRepository(files, crypto.randomUUID());
    const { status, json } = await this.ask("POST", "/v1/checkouts", { repository: path, ref });
    if (status !== 200) return { status, code: String(json["code"]), detail: String(json["detail"]) };
    const build = await this.build(json as unknown as Deployed);
    const reason = build["reason"] as { code: string; message: string } | undefined;
    return { status: 0, code: reason?.code ?? "none", detail: reason?.message ?? "" };
  }

  /** Of a function that sends back what it is sent: that comes before the request has ended. */
  async checkStreams({ project, commit }: Deployed, name: string): Promise<void> {
    const url = `${this.url}/v1/run/${project}/${commit}/${name}`;
    const sent = request(url, { method: "POST", headers: { "x-functions-token": TOKEN }, agent: false });
    sent.write("one");
    const [answer] = await once(sent, "response");
    assert.equal(String((await once(answer, "data"))[0]), "one");
    sent.write("two");
    assert.equal(String((await once(answer, "data"))[0]), "two");
    sent.end();
    answer.resume();
    await once(answer, "end");
  }

  run({ project, commit }: Deployed, name: string, options: RunOptions = {}): Promise<Answered> {
    const { path = "", method = "GET", headers = {}, body } = options;
    const url = `${this.url}/v1/run/${project}/${commit}/${name}${path}`;
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers: { "x-functions-token": TOKEN, ...headers }, agent: this.#agent });
      sent.on("error", reject).on("response", (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers as Record<string, string>,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      });
      sent.end(body);
    });
  }

  /** Runs a cron or event function, to its end. */
  async runOnce({ project, commit }: Deployed, name: string, event?: unknown): Promise<Run> {
    const id = crypto.randomUUID();
    const body = { project, commit, function: name, event, waitMs: 10_000 };
    const { status, json } = await this.ask("PUT", `/v1/runs/${id}`, body);
    assert.equal(status, 200, JSON.stringify(json));
    assert.notEqual(json["status"], "running", JSON.stringify(json));
    return json as unknown as Run;
  }

  /** What there is of a function's sandboxes; undefined before it was asked for. */
  async pool({ project }: Deployed, name: string): Promise<PoolFigures | undefined> {
    const { pools } = (await this.ask("GET", "/v1/functions")).json as unknown as ServiceFigures;
    return pools.find((one) => one.project === project && one.function === name);
  }

  /** What a function has printed until now, and what the service says about it, until a line matches. */
  async untilLogged(project: string, name: string, match: RegExp, withinMs = 10_000): Promise<string[]> {
    const lines: string[] = [];
    const leave = new AbortController();
    const timer = setTimeout(
      () => leave.abort(new Error(`not logged: ${match}; but ${lines.slice(-20).join(" | ")}`)),
      withinMs,
    );
    const answer = await fetch(`${this.url}/v1/logs/${project}/${name}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
      signal: leave.signal,
    });
    let rest = "";
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) if (part.startsWith("data: ")) lines.push(JSON.parse(part.slice(6)).text);
      if (lines.some((line) => match.test(line))) break;
    }
    clearTimeout(timer);
    leave.abort();
    return lines;
  }

  #makeChild(): Child {
    return nodeChild({
      name: "functions",
      script: MAIN,
      env: {
        FUNCTIONS_TOKEN: TOKEN,
        FUNCTIONS_PORT: "0",
        FUNCTIONS_DIR: this.dataDir,
        FUNCTIONS_GIT_FOLDERS: "/",
        FUNCTIONS_IDLE_MS: "120000",
        ...this.#env,
      },
    });
  }
}

export interface RunOptions {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}
