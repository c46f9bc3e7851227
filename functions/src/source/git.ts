/**
 * The system's git, hardened: no configuration of the host or of the user, no hooks, no filters, no prompts, no redirects,
 * only the transports that are allowed; bounded in time, in what it prints, and in the size of each file it writes.
 */

import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { killGroup } from "../sandbox/process-group.ts";
import { readBounded } from "./read-bounded.ts";

const CONFIG = `[core]
\thooksPath = /dev/null
\tfsmonitor = false
\tautocrlf = false
\tsymlinks = true
\tprotectHFS = true
\tprotectNTFS = true
[init]
\ttemplateDir =
\tdefaultBranch = main
[safe]
\tdirectory = *
[protocol]
\tallow = never
[protocol "https"]
\tallow = always
[protocol "ssh"]
\tallow = always
[protocol "file"]
\tallow = always
[transfer]
\tbundleURI = false
[fetch]
\tfsckObjects = true
\tunpackLimit = 1
\trecurseSubmodules = false
[submodule]
\trecurse = false
[credential]
\thelper =
[gc]
\tauto = 0
[http]
\tfollowRedirects = false
\tlowSpeedLimit = 1000
\tlowSpeedTime = 20
`;

const PASSED_ON = [
  "PATH",
  "HTTPS_PROXY",
  "https_proxy",
  "NO_PROXY",
  "no_proxy",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "GIT_SSL_CAINFO",
];
const MOST_STDERR_BYTES = 64 * 1_024;

export interface GitOptions {
  /** An empty folder of its own, for its configuration. */
  home: string;
  /** Of one file: a pack. */
  mostFileBytes: number;
  timeoutMs: number;
  /** A key for ssh, where there is one. */
  sshKeyFile?: string;
  /** `prlimit`, where the machine has it. */
  prlimit?: string;
}

export interface GitRun {
  stdout: string;
  /** What it said, without what only git itself understands. */
  words: string;
  code: number | null;
  /** Why it was ended before its time. */
  ended?: "timeout" | "output";
}

export class Git {
  readonly #options: GitOptions;

  constructor(options: GitOptions) {
    this.#options = options;
  }

  /** Writes its configuration. */
  async prepare(): Promise<void> {
    await writeFile(this.#config, CONFIG);
  }

  /** Never rejects because git failed; `code` says so. `mostBytes` bounds what it prints. */
  async run(args: string[], { cwd = this.#options.home, mostBytes = 1_000_000 } = {}): Promise<GitRun> {
    const { timeoutMs, prlimit, mostFileBytes } = this.#options;
    const limits = prlimit ? [prlimit, `--fsize=${mostFileBytes}`, "--core=0"] : [];
    const [command = "git", ...rest] = [...limits, "git", ...args];
    const child = spawn(command, rest, { cwd, env: this.#env(), detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let ended: GitRun["ended"];
    const end = (reason: NonNullable<GitRun["ended"]>) => {
      ended ??= reason;
      killGroup(child.pid);
    };
    const timer = setTimeout(() => end("timeout"), timeoutMs);
    const exited = new Promise<number | null>((resolve) => {
      child.once("close", resolve).once("error", () => resolve(127));
    });
    const [stdout, stderr] = [readBounded(child.stdout, mostBytes), readBounded(child.stderr, MOST_STDERR_BYTES)];
    stdout.once("overflow", () => end("output"));
    const [out, err, code] = await Promise.all([text(stdout), text(stderr), exited]);
    clearTimeout(timer);
    return { stdout: out, words: summarize(err), code, ...(ended && { ended }) };
  }

  get #config(): string {
    return `${this.#options.home}/gitconfig`;
  }

  #env(): Record<string, string | undefined> {
    const { home, sshKeyFile } = this.#options;
    const key = sshKeyFile ? ` -i '${sshKeyFile.replaceAll("'", `'\\''`)}'` : "";
    const ssh = `ssh -F none -oBatchMode=yes -oStrictHostKeyChecking=accept-new -oUserKnownHostsFile='${home}/known_hosts'`;
    return {
      ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
      HOME: home,
      LANG: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: this.#config,
      GIT_ATTR_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      GIT_ASKPASS: "false",
      GIT_LFS_SKIP_SMUDGE: "1",
      GIT_SSH_COMMAND: `${ssh}${key}`,
    };
  }
}

function summarize(stderr: string): string {
  const lines = stderr.split("\n").map((line) => line.replace(/^(fatal|error|remote): */, "").trim());
  return [...new Set(lines.filter((line) => line !== "" && !line.startsWith("hint:")))]
    .slice(-4)
    .join("; ")
    .slice(0, 600);
}
