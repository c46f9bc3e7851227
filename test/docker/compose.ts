import { execFile, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { findFreePort } from "@genserverless/local/ports.ts";

const root = resolve(import.meta.dirname, "../..");
const COMMAND_MS = 10 * 60_000;
const execute = promisify(execFile);

/** A cluster of containers of its own: its own project name, its own published ports. */
export class ComposeProject {
  readonly #command: string[];
  /** What a docker-compose of one's own needs to find it. */
  readonly env: NodeJS.ProcessEnv;
  readonly url: string;
  readonly sysmonUrl: string;

  private constructor(command: string[], env: Record<string, string>) {
    this.#command = command;
    this.env = { ...process.env, ...env };
    this.url = `http://127.0.0.1:${env["LB_PORT"]}`;
    this.sysmonUrl = `http://127.0.0.1:${env["SYSMON_PORT"]}`;
  }

  static async create(settings: Record<string, string>): Promise<ComposeProject> {
    const env = {
      LB_PORT: String(await findFreePort()),
      SYSMON_PORT: String(await findFreePort()),
      STATS_PORT: String(await findFreePort()),
      COMPOSE_PROJECT_NAME: `genserverless-test-${process.pid}`,
      ...settings,
    };
    return new ComposeProject(findCompose(), env);
  }

  /** Runs one docker-compose command; returns what it printed. */
  run(...args: string[]): Promise<string> {
    return this.pipe("", ...args);
  }

  /** The same, with what it reads on stdin. */
  async pipe(input: string, ...args: string[]): Promise<string> {
    const [program = "", ...first] = this.#command;
    const options = { cwd: root, env: this.env, timeout: COMMAND_MS, maxBuffer: 64 * 1024 * 1024 };
    try {
      const running = execute(program, [...first, ...args], options);
      // It may end without having read.
      running.child.stdin?.on("error", () => {}).end(input);
      return (await running).stdout;
    } catch (error) {
      const { stdout, stderr, message } = error as { stdout: string; stderr: string; message: string };
      throw new Error(`${message}\n${`${stdout}\n${stderr}`.slice(-4_000)}`);
    }
  }

  async containers(service: string): Promise<string[]> {
    return (await this.run("ps", "-q", service)).split("\n").filter(Boolean);
  }

  async logs(service: string): Promise<string> {
    return this.run("logs", "--no-color", service);
  }

  async remove(): Promise<void> {
    await this.run("down", "--volumes", "--remove-orphans", "--timeout", "5");
  }
}

export async function docker(...args: string[]): Promise<string> {
  return (await execute("docker", args)).stdout.trim();
}

/** Version 1 is a program of its own, version 2 a part of docker. */
function findCompose(): string[] {
  const candidates = [["docker-compose"], ["docker", "compose"]];
  const found = candidates.find(([program = "", ...args]) => spawnSync(program, [...args, "version"]).status === 0);
  if (!found) throw new Error("docker-compose is missing");
  return found;
}
