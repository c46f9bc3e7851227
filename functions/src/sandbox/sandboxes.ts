/** Makes sandboxes of the one kind that this machine allows, and watches over all that there are. */

import { execFile } from "node:child_process";
import { chown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { DataDir } from "../store/data-dir.ts";
import { findIsolation, findPrograms, type Isolation, succeeds, type Wanted } from "./isolation.ts";
import { type Folder, type Launch, type Limits, planLaunch } from "./launch.ts";
import { makeSkeleton, type Skeleton } from "./skeleton.ts";

const run = promisify(execFile);
const TRY_WITHIN_MS = 10_000;
const MB = 1_048_576;
/** What Node itself maps as writable without using it. */
const NODE_DATA_MB = 768;
const RUNNER = join(import.meta.dirname, "../runtime/runner.ts");

export interface SandboxRequest {
  uid: number;
  folders: Folder[];
  /** Beyond what Node itself needs. */
  memoryMb: number;
  cpuSeconds: number;
  processes: number;
  tmpMb: number;
  /** The build needs the registry, whatever functions may have. */
  isOnline?: boolean;
}

export interface MadeSandbox extends Launch {
  /** Removes its temporary files; its processes have ended. */
  remove(): Promise<void>;
}

export class Sandboxes implements Part {
  readonly #dataDir: DataDir;
  readonly #wanted: Wanted;
  readonly #events: Events;
  #skeleton: Skeleton | undefined;
  #isolation: Isolation | undefined;

  constructor(options: { dataDir: DataDir; wanted: Wanted; events: Events }) {
    this.#dataDir = options.dataDir;
    this.#wanted = options.wanted;
    this.#events = options.events;
  }

  /** Finds out what holds here, and tells it. */
  async start(): Promise<void> {
    this.#skeleton = await makeSkeleton(join(this.#dataDir.path, "skeleton"));
    await this.#writeRuntime();
    const { isolation, missing } = await findIsolation(findPrograms(), this.#wanted, (one) => this.#try(one));
    this.#isolation = isolation;
    const { hasUsers, namespaces = "none", isOffline } = isolation;
    this.#events.emit("info", "sandboxes.ready", { hasUsers, namespaces, isOffline });
    for (const limit of missing) this.#events.emit("warn", "sandboxes.unlimited", { missing: limit });
  }

  async stop(): Promise<void> {}

  get isolation(): Isolation {
    if (!this.#isolation) throw new Error("sandboxes have not been tried yet");
    return this.#isolation;
  }

  /** Whether code that Node does not watch over stays where it is put, and ends when it is to. */
  get holdsNativeCode(): boolean {
    const { namespaces, programs } = this.isolation;
    return namespaces !== undefined && programs.setpriv !== undefined && programs.prlimit !== undefined;
  }

  /** Makes a folder that of a project's user, where there are such. */
  async give(folder: string, uid: number): Promise<void> {
    if (this.isolation.hasUsers) await run("chown", ["-R", "-h", `${uid}:${uid}`, folder]);
  }

  /** Where the runner lies; a folder for `folders`. */
  get runtime(): Folder {
    return { name: "runtime", source: join(this.#dataDir.path, "runtime") };
  }

  make(request: SandboxRequest): Promise<MadeSandbox> {
    return this.#make(request, this.isolation);
  }

  async #make(request: SandboxRequest, isolation: Isolation): Promise<MadeSandbox> {
    const { uid, folders, isOnline = false } = request;
    const work = await this.#dataDir.makeWork(0o711);
    const tmp = join(work, "tmp");
    await Promise.all([mkdir(join(work, "root")), mkdir(tmp, { mode: 0o700 })]);
    if (isolation.hasUsers) await chown(tmp, uid, uid);
    const skeleton = this.#skeleton as Skeleton;
    const isOffline = isolation.isOffline && !isOnline;
    const plan = { isolation, skeleton, uid, limits: toLimits(request), folders, work, isOffline };
    const launch = await planLaunch(plan);
    return { ...launch, remove: () => rm(work, { recursive: true, force: true }) };
  }

  async #try(isolation: Isolation): Promise<boolean> {
    const folders = [this.runtime];
    const request = { uid: 65_533, folders, memoryMb: 32, cpuSeconds: 5, processes: 64, tmpMb: 1 };
    const made = await this.#make(request, isolation);
    try {
      const script = `require("node:fs").writeFileSync(${JSON.stringify(join(made.paths.tmp, "tried"))}, "")`;
      const flags = ["--permission", `--allow-fs-read=${made.paths.runtime}`, `--allow-fs-write=${made.paths.tmp}`];
      const [command = "", ...args] = [...made.prefix, made.paths.node, ...flags, "-e", script];
      return await succeeds(command, args, TRY_WITHIN_MS);
    } finally {
      await made.remove();
    }
  }

  /** Sandboxes need not strip its types at each start. */
  async #writeRuntime(): Promise<void> {
    const { source } = this.runtime;
    await mkdir(source, { recursive: true });
    const text = stripTypes(await readFile(RUNNER, "utf8"));
    await writeFile(join(source, "runner.cjs"), text, { mode: 0o644 });
  }
}

function toLimits({ memoryMb, cpuSeconds, processes, tmpMb }: SandboxRequest): Limits {
  return {
    dataBytes: (memoryMb + NODE_DATA_MB) * MB,
    cpuSeconds,
    fileBytes: tmpMb * MB,
    tmpBytes: tmpMb * MB,
    openFiles: 1_024,
    processes,
  };
}

/** Node warns that this function is experimental; what it does is what it does to every file here. */
function stripTypes(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
