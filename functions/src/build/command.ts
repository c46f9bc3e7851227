/** Runs a command of a build in a sandbox, to its end or until it is ended; what it says goes to the build's log. */

import { spawn } from "node:child_process";
import { readOutput } from "../logs/output-reader.ts";
import { killGroup } from "../sandbox/process-group.ts";
import type { MadeSandbox } from "../sandbox/sandboxes.ts";
import type { BuildLog } from "./build-log.ts";

export interface CommandOptions {
  made: MadeSandbox;
  command: string[];
  withinMs: number;
  signal: AbortSignal;
  log: BuildLog;
  env?: Record<string, string>;
}

export interface CommandEnd {
  code: number | null;
  /** Its first lines and its last. */
  words: string;
  /** Why it was ended before its time. */
  ended: "timeout" | "cancelled" | undefined;
}

const FIRST_LINES = 8;
const LAST_LINES = 4;
const PASSED_ON = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"];

export async function runCommand({
  made,
  command,
  withinMs,
  signal,
  log,
  env = {},
}: CommandOptions): Promise<CommandEnd> {
  const [program = "", ...args] = [...made.prefix, "env", "-C", made.paths.code, ...command];
  const child = spawn(program, args, {
    env: {
      ...Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
      HOME: made.paths.tmp,
      TMPDIR: made.paths.tmp,
      LANG: "C.UTF-8",
      ...env,
    },
    cwd: "/",
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let ended: CommandEnd["ended"];
  const end = (reason: "timeout" | "cancelled") => {
    ended ??= reason;
    killGroup(child.pid);
  };
  const cancel = () => end("cancelled");
  const timer = setTimeout(() => end("timeout"), withinMs);
  signal.addEventListener("abort", cancel);
  if (signal.aborted) cancel();
  const lines: string[] = [];
  const note = (line: string) => {
    log.append(line);
    lines.push(line);
    if (lines.length > FIRST_LINES + LAST_LINES) lines.splice(FIRST_LINES, 1);
  };
  for (const stream of [child.stdout, child.stderr])
    readOutput(stream, note, (bytes) => note(`${bytes} bytes left out`));
  const code = await new Promise<number | null>((resolve) => {
    child.once("close", resolve).once("error", () => resolve(127));
  });
  clearTimeout(timer);
  signal.removeEventListener("abort", cancel);
  killGroup(child.pid);
  await made.remove();
  return { code, words: lines.join("; "), ended };
}
