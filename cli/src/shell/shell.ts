/**
 * The prompt: Node's own, with top-level await, the client and its verbs as variables, completion of pids and modules inside quotes,
 * and a history in the user's home. Where standard input is no terminal its lines are run one after the other, only results
 * are printed, and what failed is counted.
 */

import { once } from "node:events";
import { homedir } from "node:os";
import { join } from "node:path";
import { type REPLServer, start } from "node:repl";
import { PassThrough } from "node:stream";
import { CandidateSource } from "../candidates.ts";
import type { Session } from "../session.ts";
import { completeIn } from "./complete.ts";
import { runLines } from "./run-lines.ts";
import { writeResult } from "./write-result.ts";

const HISTORY = ".genserverless_history";

const GREETING = `The cluster is at URL. Bound are client, start, call, cast, info, stop, inspect, list and at:
  await start("accumulator", { key: "alice", args: 100 })
  await call("accumulator/alice", "total")
  await at("accumulator/alice").cast(10)
Tab completes modules and pids inside quotes; .exit leaves.`;

/** Resolves when it is left, to how many lines failed; on a terminal its user has seen them, and it is 0. */
export async function runShell(session: Session): Promise<number> {
  const { io, output } = session;
  return io.stdin.isTTY && output.isTerminal ? runOnTerminal(session) : runOnLines(session);
}

async function runOnTerminal(session: Session): Promise<0> {
  const { io, settings, client, door, output } = session;
  output.line(GREETING.replace("URL", settings.url));
  const useColors = !io.env["NO_COLOR"];
  const server = start({
    prompt: "genserverless> ",
    input: io.stdin,
    output: io.stdout,
    terminal: true,
    useColors,
    ignoreUndefined: true,
    writer: (value) => writeResult(value, useColors),
  });
  const left = once(server, "exit");
  bindClient(server, session);
  completeIn(server, new CandidateSource(client, door));
  // One that cannot be written is told by Node, and there is none then.
  server.setupHistory(join(homedir(), HISTORY), () => {});
  await left;
  return 0;
}

async function runOnLines(session: Session): Promise<number> {
  const { io } = session;
  const server = start({
    prompt: "",
    // The lines are handed over one by one.
    input: new PassThrough(),
    output: io.stdout,
    terminal: false,
    ignoreUndefined: true,
    writer: (value) => writeResult(value, false),
  });
  bindClient(server, session);
  return runLines(server, io.stdin);
}

function bindClient(server: REPLServer, { client }: Session): void {
  const verbs = {
    client,
    at: client.process.bind(client),
    start: client.start.bind(client),
    call: client.call.bind(client),
    cast: client.cast.bind(client),
    info: client.info.bind(client),
    stop: client.stop.bind(client),
    inspect: client.inspect.bind(client),
    list: client.list.bind(client),
  };
  Object.assign(server.context, verbs);
  server.on("reset", (context) => Object.assign(context, verbs));
}
