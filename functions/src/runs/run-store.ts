/**
 * What became of runs, on the disk: `runs/<ab>/<id>.json`, ab being of a hash of the id. The file is there, made by nobody
 * else, before the function is called; how it went takes its place by one rename. A run that is not at its end, and that
 * this service is not about, was under way when an earlier one ended.
 */

import { hash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Run } from "@genserverless/shared/functions/functions-client.ts";

const FOLDERS = 256;
const DIED = "the functions service ended during the run";

export class RunStore {
  readonly #path: string;
  readonly #keptMs: number;
  /** Services that are started again and again get to each folder too. */
  #next = Math.floor(Math.random() * FOLDERS);

  constructor(path: string, keptMs: number) {
    this.#path = path;
    this.#keptMs = keptMs;
  }

  /** Of a run that nobody is about: at its end, or died; undefined where it has never begun. */
  async find(id: string): Promise<Run | undefined> {
    const text = await readFile(this.#file(id), "utf8").catch(forgiveMissing);
    if (text === undefined) return undefined;
    const run = parseRun(text);
    return run && run.status !== "running" ? run : { id, status: "died", error: DIED };
  }

  /** Rejects where the run has begun before. */
  async begin(id: string): Promise<void> {
    const file = this.#file(id);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    const run: Run = { id, status: "running" };
    await writeFile(file, JSON.stringify(run), { flag: "wx", mode: 0o600 });
  }

  async end(run: Run): Promise<void> {
    const file = this.#file(run.id);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, JSON.stringify(run), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  /** Forgets what is too old in one folder of all, the next one each time. */
  async sweep(now: number): Promise<void> {
    const folder = join(this.#path, nameFolder(this.#next));
    this.#next = (this.#next + 1) % FOLDERS;
    for (const name of await readdir(folder).catch(() => [])) {
      const file = join(folder, name);
      const written = await stat(file).catch(forgiveMissing);
      if (written && now - written.mtimeMs > this.#keptMs) await rm(file, { force: true });
    }
  }

  static readonly folders = FOLDERS;

  #file(id: string): string {
    return join(this.#path, nameFolder(hash("sha256", id, "buffer")[0] ?? 0), `${id}.json`);
  }
}

function nameFolder(number: number): string {
  return number.toString(16).padStart(2, "0");
}

/** Undefined where a kill has left half of it. */
function parseRun(text: string): Run | undefined {
  try {
    return JSON.parse(text) as Run;
  } catch {
    return undefined;
  }
}

function forgiveMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
