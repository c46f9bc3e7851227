/**
 * The one door to BullMQ. A mailbox is a BullMQ queue; its jobs are ordinary jobs that BullMQ's tools can show. But each
 * step on it has to be conditional on a lease, and BullMQ's own calls cannot be: so the scripts of this project wrap the
 * Lua that the installed BullMQ publishes. That makes its scripts part of our protocol: they are compared, by name, number
 * of keys and checksum, with those that this version was tested with, and a difference stops the node at its start.
 *
 * Never attach a BullMQ Worker or QueueEvents to a mailbox: a Worker would fetch what another worker holds the lease of,
 * and its stalled check would move active messages.
 */

import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

interface Published {
  name: string;
  content: string;
  keys: number;
}

const TESTED: Readonly<Record<string, { keys: number; sha256: string }>> = {
  addStandardJob: { keys: 9, sha256: "2eee45c9ffc54d24681b737f926016a7f7464f0d32a5f87f623bffa2fc55413c" },
  addDelayedJob: { keys: 6, sha256: "e47c0db3c46bd84afab98fae90bba3b98cf6554e74df840801c39baccc627c4c" },
  moveToActive: { keys: 11, sha256: "7d35069db0b831af1bd1b2d5eb8d524e86fc7d3280b8c684a96b6614bad7d79a" },
  moveToFinished: { keys: 14, sha256: "8e744ec5d65dbe9e7ffb6e39a96c0268bba65e4f0b1d04e2d2a42ccb71b45a6d" },
  removeJob: { keys: 2, sha256: "f2acb16fda20ccac200abd5289a8910e48870d454c1577b19bd375ab809bb4b6" },
};

/** Reads the Lua that the installed BullMQ publishes. Throws, naming the script, where it is not what was tested. */
export function readPublishedLua(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const { version } = require("bullmq/package.json") as { version: string };
  const folder = join(dirname(require.resolve("bullmq/package.json")), "dist/cjs/scripts");
  const published: Record<string, Published> = {};
  // One file each, e.g. removeJob-2.js: a node that loaded all of them would boot slower.
  for (const file of readdirSync(folder)) {
    const name = /^(\w+)-\d+\.js$/.exec(file)?.[1];
    if (name !== undefined && name in TESTED) Object.assign(published, require(join(folder, file)));
  }
  return checkPublished(published, version);
}

/** The sources of the scripts that are wrapped, by name. */
export function checkPublished(
  published: Readonly<Record<string, Published>>,
  version: string,
): Record<string, string> {
  const sources: Record<string, string> = {};
  for (const [name, tested] of Object.entries(TESTED)) {
    const script = published[name];
    if (!script) throw new Error(`bullmq ${version} publishes no script ${name}`);
    const sha256 = createHash("sha256").update(script.content).digest("hex");
    if (script.keys !== tested.keys || sha256 !== tested.sha256) {
      throw new Error(
        `the script ${name} of bullmq ${version} is not the one this version was tested with ` +
          `(${script.keys} keys, sha256 ${sha256}; expected ${tested.keys} keys, sha256 ${tested.sha256})`,
      );
    }
    sources[name] = script.content;
  }
  return sources;
}
