/** A git repository in a temporary folder, made by the system's git. */

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type Files = Record<string, string>;

/** As the seed's document shows it. */
export const SEED: Files = {
  ".eserveless.yaml": `#.eserveless.yaml
repo: https://github.com/evanxg852000/node-eserveless-example
runtime: node
functions:
- name: API
  type: http
- name: Ticker
  type: cron
  schedule: "*/1 * * * *"
  meta:
    path: "/usr/bin"
    name: prod 
`,
  "functions.js": `//functions.js
function API(req, res) { //http function
    const ip = res.socket.remoteAddress;
    console.log(\`Client ip address is \${ip}.\`);
    res.writeHead(200);
    res.end('Hello, World!');
}

function Ticker(envs) { //cron function
    console.log(envs); 
    console.log(\`Ticker ticked at \${Date.now()}\`);
}

module.exports = {
    API,
    Ticker
}
`,
  "package.json": `{"name": "node-eserveless-example", "version": "1.0.0", "main": "functions.js"}`,
};

export class GitRepository {
  readonly path: string;
  readonly #folder: string;

  /** It lies in a folder of its own, or below the one that is given. */
  constructor(name = "shop", user = "alice", folder = mkdtempSync(join(tmpdir(), "repository-"))) {
    this.#folder = folder;
    this.path = join(folder, user, name);
    mkdirSync(this.path, { recursive: true });
    this.git("init", "-q", "-b", "main");
  }

  /** Writes files and commits them all. Gives back the commit. */
  commit(files: Files): string {
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    this.git("add", "-A", "-f");
    this.git("commit", "-q", "--allow-empty", "-m", "commit");
    return this.git("rev-parse", "HEAD");
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    writeFileSync(join(this.path, name), text);
  }

  link(name: string, target: string): void {
    mkdirSync(dirname(join(this.path, name)), { recursive: true });
    symlinkSync(target, join(this.path, name));
  }

  git(...args: string[]): string {
    const who = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "protocol.file.allow=always"];
    return execFileSync("git", [...who, ...args], {
      cwd: this.path,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A project with http functions, each given by its body as an expression. */
export function httpProject(functions: Record<string, string>, settings = ""): Files {
  const names = Object.keys(functions);
  const lines = names.map((name) => `- name: ${name}\n  type: http\n${settings}`);
  const exported = Object.entries(functions).map(([name, source]) => `exports.${name} = ${source};`);
  return { ".eserveless.yaml": `runtime: node\nfunctions:\n${lines.join("")}`, "functions.js": exported.join("\n") };
}
