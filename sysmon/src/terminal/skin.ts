/** Which skin a terminal gets: the full-screen dashboard where a person sits before one, else plain tables. */

import type { ReadStream, WriteStream } from "node:tty";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { FunctionEyes } from "../functions.ts";
import type { History } from "../history.ts";
import type { LogSource } from "../log-source.ts";
import type { Watch } from "../watch.ts";
import type { Eyes } from "./eyes.ts";
import { chooseInk } from "./ink.ts";
import type { WatchCommits } from "./inspector.ts";
import type { Api } from "./operator.ts";
import { Printer } from "./printer.ts";

type Environment = Record<string, string | undefined>;

export interface SkinOptions {
  env: Environment;
  watch: Watch;
  history: History;
  events: Events;
  eyes: Eyes;
  functions: FunctionEyes;
  api: Api;
  logs: LogSource;
  watchCommits: WatchCommits;
  /** Called when the person wants to leave, or the terminal is gone. */
  onLeave: () => void;
}

/** Keys and pictures both go to a terminal, and it obeys escape sequences. */
export function isFullScreen(env: Environment): boolean {
  return process.stdin.isTTY && process.stdout.isTTY && !isDumb(env);
}

export async function createSkin(options: SkinOptions): Promise<Part> {
  const { env, watch, events } = options;
  if (!isFullScreen(env)) {
    const output = process.stdout;
    return new Printer({ watch, output, events, redraws: output.isTTY && !isDumb(env) });
  }
  const { Dashboard } = await import("./dashboard.ts");
  const input: ReadStream = process.stdin;
  const output: WriteStream = process.stdout;
  return new Dashboard({ ...options, input, output, ink: chooseInk(env) });
}

function isDumb(env: Environment): boolean {
  return (env["TERM"] ?? "dumb") === "dumb";
}
