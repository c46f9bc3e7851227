/** Makes a Go project runnable: compiles it with what answers for its functions, and looks whether each is there. */

import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BuildOptions } from "./build-options.ts";
import { checkFunctions } from "./check-functions.ts";
import { type CommandEnd, runCommand } from "./command.ts";
import { GO_ENTRY } from "./entry.ts";
import { BuildFailure } from "./failure.ts";
import type { GoCache } from "./go-cache.ts";
import { GO_ENVIRONMENT } from "./go-environment.ts";
import { MAIN_FILE, prepareSources } from "./go-sources.ts";
import { findGo, type GoToolchain } from "./go-toolchain.ts";

const WITHIN_MS = 300_000;
const MEMORY_MB = 1_024;
const COPY_CACHE = 'cp -r "$0" "$GOCACHE" && exec "$@"';

export interface GoBuildOptions extends BuildOptions {
  /** The repository's URL or path. */
  repository: string;
  /** Its path, `off`, or empty for the one on PATH. */
  goProgram: string;
  goProxy: string;
  goCache: GoCache;
}

export async function buildGo(options: GoBuildOptions): Promise<void> {
  const { sandboxes, log, tree, manifest, repository } = options;
  // Node's permission model is not there, and a process that is forked could outlive its sandbox.
  if (!sandboxes.holdsNativeCode) {
    throw new BuildFailure(
      "not_isolated",
      "Go functions need namespaces, and this service has none: runtime must be node",
    );
  }
  const go = await findGo(options.goProgram);
  if (!go) throw new BuildFailure("no_toolchain", "this service has no Go toolchain: runtime must be node");
  const module = repository.replace(/^[a-z]+:\/\/(?:[^/@]*@)?|\.git$/g, "");
  await prepareSources({ tree, functions: manifest.functions, module, version: go.version });
  await compile(options, go);
  await checkFunctions(options, GO_ENTRY);
  log.append(`built with ${go.version}`);
}

async function compile(options: GoBuildOptions, go: GoToolchain): Promise<void> {
  const { root, version } = go;
  const { sandboxes, log, tree, uid, processes, signal, goProxy } = options;
  const dependencies = await readDependencies(tree);
  const output = join(tree, GO_ENTRY, "..");
  await rm(output, { recursive: true, force: true });
  await mkdir(output);
  await sandboxes.give(tree, uid);
  // What lies in /usr is there already, with what it links to.
  const cache = await options.goCache.find(go);
  const isSeen = root.startsWith("/usr/");
  const folders = [
    { name: "code" as const, source: tree, isWritable: true },
    { name: "gocache" as const, source: cache },
    ...(isSeen ? [] : [{ name: "go" as const, source: root }]),
  ];
  const limits = { memoryMb: MEMORY_MB, cpuSeconds: 300, processes, tmpMb: 768 };
  const made = await sandboxes.make({ uid, folders, ...limits, isOnline: dependencies === "readonly" });
  const goroot = isSeen ? root : made.paths.go;
  const flags = [
    "build",
    `-mod=${dependencies ?? "readonly"}`,
    "-buildvcs=false",
    "-ldflags=-s -w",
    "-o",
    GO_ENTRY,
    ".",
  ];
  log.append(`${version}: go ${flags.join(" ")}`);
  const { tmp } = made.paths;
  const env = {
    ...GO_ENVIRONMENT,
    GOROOT: goroot,
    GOPATH: `${tmp}/path`,
    GOCACHE: `${tmp}/cache`,
    GOPROXY: dependencies === "readonly" ? goProxy : "off",
  };
  const command = ["sh", "-c", COPY_CACHE, made.paths.gocache, `${goroot}/bin/go`, ...flags];
  const end = await runCommand({ made, command, withinMs: WITHIN_MS, signal, log, env });
  if (end.ended || end.code !== 0) throw toFailure(end);
}

/** Where they come from: the repository, or the proxy as go.sum names them. Throws `lock_file_missing`. */
async function readDependencies(tree: string): Promise<"vendor" | "readonly" | undefined> {
  if (existsSync(join(tree, "vendor/modules.txt"))) return "vendor";
  const requires = /^[ \t]*require\b/m.test(await readFile(join(tree, "go.mod"), "utf8"));
  if (!requires) return undefined;
  if (existsSync(join(tree, "go.sum"))) return "readonly";
  throw new BuildFailure(
    "lock_file_missing",
    "go.mod requires modules, and there is neither a vendor folder nor a go.sum",
  );
}

function toFailure({ code, words, ended }: CommandEnd): BuildFailure {
  if (ended) return new BuildFailure(ended, `go build was ended: ${ended}`);
  const missing = [...words.matchAll(new RegExp(`${MAIN_FILE}:\\d+:\\d+: undefined: (\\w+)`, "g"))].map(
    ([, name]) => name,
  );
  if (missing.length > 0)
    return new BuildFailure("not_exported", `${missing.join(", ")}: no such function is declared`);
  if (words.includes("main redeclared")) {
    return new BuildFailure(
      "compile_failed",
      "the project has a func main, where that of the service goes: take it away",
    );
  }
  const told = `go build ended with ${code}: ${words}`;
  if (/missing go\.sum entry|checksum mismatch|inconsistent vendoring|updates to go\.mod needed/.test(words)) {
    return new BuildFailure("lock_file_broken", told);
  }
  const isDependency =
    /no required module provides|cannot find module|is not in (GOROOT|std)|module lookup disabled|dial tcp/;
  return new BuildFailure(isDependency.test(words) ? "dependencies_failed" : "compile_failed", told);
}
