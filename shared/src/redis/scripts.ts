/**
 * The scripts: one headed Lua file for each atomic act, in scripts/. `--@include name` puts a file of scripts/lib there;
 * `--@bullmq name` puts one of BullMQ's own scripts there, wrapped as a function of (KEYS, ARGV), unchanged.
 *
 * Redis runs a script from its first line each time, and so makes every function in it anew. What is rarely needed on the
 * path of a call is therefore put inside the branch that needs it.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type ScriptName =
  | "beat"
  | "blame"
  | "cancel"
  | "claim"
  | "commit"
  | "deliver"
  | "drop"
  | "enqueue"
  | "evict"
  | "export"
  | "follow"
  | "found"
  | "hand-over"
  | "import"
  | "join"
  | "kill"
  | "list"
  | "passivate"
  | "pause"
  | "read-journal"
  | "register"
  | "resume"
  | "retry"
  | "ring"
  | "sent"
  | "skip"
  | "start"
  | "sweep";

export interface Script {
  name: ScriptName;
  source: string;
  sha: string;
  keyCount: number;
}

export type Scripts = Record<ScriptName, Script>;

/** What adds to the data set is refused when Redis is full; what drains it must still run then. */
const REFUSED_WHEN_FULL = new Set<string>(["enqueue", "import", "start"]);

const FOLDER = join(import.meta.dirname, "scripts");

export function loadScripts(bullmq: Readonly<Record<string, string>>): Scripts {
  const scripts: Partial<Scripts> = {};
  for (const file of readdirSync(FOLDER)) {
    const match = /^(.+)-(\d+)\.lua$/.exec(file);
    if (!match?.[1]) continue;
    const name = match[1] as ScriptName;
    const flags = REFUSED_WHEN_FULL.has(name) ? "" : " flags=allow-oom";
    const source = `#!lua${flags}\n${assemble(readFileSync(join(FOLDER, file), "utf8"), bullmq)}`;
    scripts[name] = { name, source, sha: createHash("sha1").update(source).digest("hex"), keyCount: Number(match[2]) };
  }
  return scripts as Scripts;
}

function assemble(text: string, bullmq: Readonly<Record<string, string>>): string {
  return text
    .replace(/^ *--@include (\S+)$/gm, (_, name: string) =>
      assemble(readFileSync(join(FOLDER, "lib", `${name}.lua`), "utf8"), bullmq),
    )
    .replace(/^ *--@bullmq (\S+)$/gm, (_, name: string) => {
      const published = bullmq[name];
      if (published === undefined) throw new Error(`no script of BullMQ named ${name} was read`);
      return `local function ${name}(KEYS, ARGV)\n${published}\nend`;
    });
}
