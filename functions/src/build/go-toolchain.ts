/** The Go toolchain of this machine. */

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const WITHIN_MS = 10_000;

export interface GoToolchain {
  /** GOROOT. */
  root: string;
  /** For example go1.19.8. */
  version: string;
}

/** `program` is its path, `off` for none, or empty for the one on PATH. Undefined where there is none that works. */
export async function findGo(program: string): Promise<GoToolchain | undefined> {
  const file = program || findOnPath();
  if (file === undefined || file === "off") return undefined;
  const env = { PATH: process.env["PATH"], HOME: "/nonexistent", GOENV: "off", GOTOOLCHAIN: "local" };
  const asked = run(file, ["env", "GOROOT", "GOVERSION"], { env, cwd: "/", timeout: WITHIN_MS });
  const { stdout } = await asked.catch(() => ({ stdout: "" }));
  const [root, version] = stdout.split("\n");
  return root && version ? { root, version } : undefined;
}

function findOnPath(): string | undefined {
  const files = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "go"));
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
