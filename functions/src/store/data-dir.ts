/**
 * The folder of the service's data.
 *
 *     projects/<project>/project.json           which repository it is, as which user it runs
 *     projects/<project>/checkouts/<commit>/    what was fetched: checkout.json and tree/
 *     projects/<project>/builds/<commit>/       what can run: build.json, build.log and tree/
 *     projects/<project>/failures/<commit>/     why it cannot: build.json and build.log
 *     runs/<ab>/<id>.json                       what became of a run of a cron or event function
 *     go-cache/<version>/                       what every Go project compiles first
 *     work/<random>/                            whatever is half done
 *
 * A folder with a commit's name is whole: it was made in `work` and got its name by one rename. So what a kill leaves
 * half done lies in `work`, which is emptied at the start.
 */

import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export type Kept = "checkouts" | "builds" | "failures";

export class DataDir {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async open(): Promise<void> {
    await rm(join(this.path, "work"), { recursive: true, force: true });
    for (const folder of ["projects", "work", "git"]) await mkdir(join(this.path, folder), { recursive: true });
    // Sandboxes pass through to what is theirs; they see no names on the way.
    for (const folder of ["", "projects", "work"]) await chmod(join(this.path, folder), 0o711);
  }

  project(project: string): string {
    return join(this.path, "projects", project);
  }

  kept(kind: Kept, project: string, commit: string): string {
    return join(this.project(project), kind, commit);
  }

  /** A new folder that only the service may enter, for something that is being made. */
  async makeWork(mode = 0o700): Promise<string> {
    const path = join(this.path, "work", randomUUID());
    await mkdir(path);
    await chmod(path, mode);
    return path;
  }

  /** Makes what lies in `work` count, in place of what may have been there before. */
  async keep(path: string, kind: Kept, project: string, commit: string): Promise<void> {
    const target = this.kept(kind, project, commit);
    await mkdir(dirname(target), { recursive: true });
    await this.remove(target);
    await rename(path, target);
  }

  /** Gone by one rename, and then from the disk. */
  async remove(path: string): Promise<void> {
    const grave = join(this.path, "work", randomUUID());
    try {
      await rename(path, grave);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    await rm(grave, { recursive: true, force: true });
  }

  async list(path: string): Promise<string[]> {
    return readdir(path).catch(() => []);
  }
}

/** A JSON file; undefined where there is none. */
export async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
