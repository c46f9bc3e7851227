/**
 * What every Go project compiles first, compiled once: the part of Go's library that the runtime needs. It is made of
 * nothing but Go's own code and ours, and each build begins with a copy of it.
 */

import { execFile } from "node:child_process";
import { cp, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DataDir } from "../store/data-dir.ts";
import { GO_ENVIRONMENT } from "./go-environment.ts";
import { GO_RUNTIME } from "./go-sources.ts";
import type { GoToolchain } from "./go-toolchain.ts";

const run = promisify(execFile);
const WITHIN_MS = 300_000;

export class GoCache {
  readonly #dataDir: DataDir;
  readonly #made = new Map<string, Promise<string>>();

  constructor(dataDir: DataDir) {
    this.#dataDir = dataDir;
  }

  /** The folder for a toolchain. */
  find(go: GoToolchain): Promise<string> {
    const folder = join(this.#dataDir.path, "go-cache", go.version.replaceAll(/[^\w.-]/g, "_"));
    const made = this.#made.get(folder) ?? this.#make(go, folder);
    this.#made.set(folder, made);
    made.catch(() => this.#made.delete(folder));
    return made;
  }

  async #make({ root }: GoToolchain, folder: string): Promise<string> {
    const isMade = await stat(folder).catch(() => undefined);
    if (isMade) return folder;
    const work = await this.#dataDir.makeWork();
    try {
      const cache = join(work, "cache");
      await cp(GO_RUNTIME, work, { recursive: true });
      await writeFile(join(work, "go.mod"), "module runtime.invalid/eserveless\n\ngo 1.18\n");
      const env = {
        ...GO_ENVIRONMENT,
        GOROOT: root,
        GOPATH: join(work, "path"),
        GOCACHE: cache,
        GOPROXY: "off",
        HOME: work,
      };
      await run(join(root, "bin/go"), ["build", "-buildvcs=false", "."], { cwd: work, env, timeout: WITHIN_MS });
      await mkdir(join(folder, ".."), { recursive: true });
      await rename(cache, folder);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return folder;
  }
}
