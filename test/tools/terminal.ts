/**
 * A real terminal of the tests' own: a command in a pane of a tmux server that nobody else uses. What the pane shows is
 * read as text, keys are typed into it, and its window is made larger and smaller.
 *
 * The pane stays when the command has ended: it then shows the command's exit code and what it left of the terminal.
 */

import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { ensureServers } from "@genserverless/local/servers.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import { type Patience, until } from "./until.ts";

export interface TerminalOptions {
  command: string[];
  env: Record<string, string>;
  columns?: number;
  rows?: number;
}

const SHOW_END = '"$@"; echo "left with $?"; stty -a | grep -oE -- "-?(icanon|echo) "; exec sleep 600';

export class Terminal implements Part {
  readonly #options: TerminalOptions;
  readonly #socket = `test-${randomBytes(4).toString("hex")}`;
  #program = "";

  constructor(options: TerminalOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { command, env, columns = 80, rows = 24 } = this.#options;
    this.#program = (await ensureServers(["tmux"])).tmux;
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const size = ["-x", String(columns), "-y", String(rows)];
    const shell = ["env", ...settings, "sh", "-c", SHOW_END, "sh", ...command];
    await this.#tmux("new-session", "-d", "-s", "test", ...size, ...shell);
  }

  async stop(): Promise<void> {
    await this.#tmux("kill-server").catch(() => {});
  }

  /** What the pane shows, a row a line, without spaces at the ends. */
  async read(): Promise<string> {
    return await this.#tmux("capture-pane", "-p", "-t", "test");
  }

  /** The same with its colours, as escape sequences. */
  async readStyled(): Promise<string> {
    return await this.#tmux("capture-pane", "-p", "-e", "-t", "test");
  }

  /** What tmux knows of the pane, e.g. `alternate_on`. */
  async ask(name: string): Promise<string> {
    return (await this.#tmux("display-message", "-p", "-t", "test", `#{${name}}`)).trim();
  }

  /** The operating-system process of the command. */
  async commandPid(): Promise<number> {
    const shell = await this.ask("pane_pid");
    return Number(readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").trim());
  }

  /** The text as it is typed. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-t", "test", "-l", text);
  }

  /** Keys by tmux's names, e.g. `Enter`, `Escape`, `PageDown`, `C-c`. */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", "-t", "test", ...keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-t", "test", "-x", String(columns), "-y", String(rows));
  }

  /** What the pane shows as soon as it matches. */
  async untilShows(wanted: RegExp, patience: Patience = { withinMs: 10_000 }): Promise<string> {
    let shown = "";
    const isShown = async () => {
      shown = await this.read();
      return wanted.test(shown);
    };
    try {
      await until(isShown, { everyMs: 50, ...patience, what: `the terminal shows ${wanted}` });
    } catch (error) {
      throw new Error(`${String(error)}\n${shown}`, { cause: error });
    }
    return shown;
  }

  async #tmux(...args: string[]): Promise<string> {
    // tmux draws what is beyond ASCII only where the locale says so.
    const env = { ...process.env, LC_ALL: "C.UTF-8", TMUX: undefined };
    const { stdout } = await promisify(execFile)(this.#program, ["-L", this.#socket, "-f", "/dev/null", ...args], {
      env,
    });
    return stdout;
  }
}
