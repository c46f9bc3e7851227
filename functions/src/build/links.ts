/** Where the symbolic links of a build lead: its dependencies bring some that were not in the repository. */

import { execFile } from "node:child_process";
import { readlink, realpath } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { BuildFailure } from "./failure.ts";

const run = promisify(execFile);
const MOST_LISTING_BYTES = 64 * 1_024 * 1_024;

/** Node follows links out of the folders that it lets a function read. Throws `link_refused`. */
export async function checkLinks(tree: string): Promise<void> {
  const { stdout } = await run("find", ["-P", tree, "-type", "l", "-print0"], { maxBuffer: MOST_LISTING_BYTES });
  const inside = `${await realpath(tree)}/`;
  for (const link of stdout.split("\0").filter(Boolean)) {
    const target = await realpath(link).catch(() => undefined);
    // What is not there may come to be.
    const meant = target ?? resolve(await realpath(dirname(link)), await readlink(link));
    if (`${meant}/`.startsWith(inside)) continue;
    throw new BuildFailure("link_refused", `${relative(tree, link)} leads out of the project`);
  }
}
