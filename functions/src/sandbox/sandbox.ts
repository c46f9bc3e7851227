/**
 * One function in one operating-system process, kept for request after request.
 *
 *     starting ──loaded──► idle ◄──────► busy
 *         │                  │             │
 *         └──────────────────┴─────────────┴──► ended: by us for a reason, or by itself
 *
 * It takes one request at a time, on the connection that it was born with. Nobody else can reach that, and when it
 * breaks the sandbox has ended. What it prints goes to the log of its function.
 */

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { Agent, type ClientRequest, type IncomingMessage, type RequestOptions, request } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { json } from "node:stream/consumers";
import type { LoadFailure, LoadOrder } from "../runtime/runner.ts";
import type { Door } from "./door.ts";
import { killGroup } from "./process-group.ts";
import { type Language, nameProgram } from "./program.ts";
import type { MadeSandbox } from "./sandboxes.ts";

/** Why a sandbox is ended from outside. */
export type EndReason =
  | "timeout"
  | "memory"
  | "idle_cpu"
  | "idle"
  | "replaced"
  | "abandoned"
  | "stopped"
  | "start"
  | "retired";

export interface SandboxEnd {
  /** Undefined where it ended by itself. */
  reason: EndReason | undefined;
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface SandboxOptions {
  made: MadeSandbox;
  /** Where it is to listen besides. */
  door?: Door | undefined;
  runtime: Language;
  memoryMb: number;
  order: Omit<LoadOrder, "entry"> & { entryName: string };
  /** Takes what it prints. */
  onOutput(stream: Readable, name: "stdout" | "stderr"): void;
}

/** A sandbox whose function cannot be called: why, in words. */
export class NotStarted extends Error {
  override name = "NotStarted";
  readonly reason: LoadFailure["reason"] | "died" | EndReason;

  constructor(reason: NotStarted["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

const DOOR_FD = 4;
const LOAD_WITHIN_MS = 10_000;
/** A process whose connection has broken is about to exit; its code says more than our signal. */
const EXIT_WITHIN_MS = 1_000;

let lastNumber = 0;

export class Sandbox {
  readonly number = ++lastNumber;
  readonly startedAt = performance.now();
  readonly options: SandboxOptions;
  /** Resolves when its process has ended and its files are gone. */
  readonly ended: Promise<SandboxEnd>;
  readonly #child: ChildProcess;
  readonly #connection: Socket;
  readonly #agent: Agent;
  #state: "starting" | "idle" | "busy" | "ended" = "starting";
  #reason: EndReason | undefined;
  #hasLoaded = false;
  #idleSince = 0;

  constructor(options: SandboxOptions) {
    this.options = options;
    const { made, door, onOutput } = options;
    const [command = "", ...args] = [...made.prefix, ...nameProgram(options)];
    const env = {
      PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
      HOME: made.paths.tmp,
      TMPDIR: made.paths.tmp,
      LANG: "C.UTF-8",
    };
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", "pipe", ...(door ? [door.fd] : [])];
    const child = spawn(command, args, { env, cwd: "/", detached: true, stdio });
    door?.leave();
    this.#child = child;
    if (child.stdout) onOutput(child.stdout, "stdout");
    if (child.stderr) onOutput(child.stderr, "stderr");
    const connection = child.stdio[3] as Socket;
    connection.on("error", () => {});
    connection.on("close", () => this.end("abandoned"));
    this.#connection = connection;
    this.#agent = new OneConnection(connection);
    this.ended = this.#awaitEnd();
  }

  get state(): "starting" | "idle" | "busy" | "ended" {
    return this.#state;
  }

  /** The path of the socket at which it listens besides. */
  get door(): string | undefined {
    return this.options.door?.path;
  }

  get hasLoaded(): boolean {
    return this.#hasLoaded;
  }

  /** Of the outermost of its processes. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get idleSince(): number {
    return this.#idleSince;
  }

  /** Throws NotStarted. */
  async load(): Promise<void> {
    const timer = setTimeout(() => this.end("start"), LOAD_WITHIN_MS);
    try {
      const failure = await this.#order();
      if (failure) {
        this.end("stopped");
        throw new NotStarted(failure.reason, failure.message);
      }
    } catch (error) {
      if (error instanceof NotStarted) throw error;
      const { reason, code, signal } = await this.ended;
      throw new NotStarted(
        reason ?? "died",
        reason ? `it did not load: ${reason}` : `it ended by itself ${describeExit(code, signal)}`,
      );
    } finally {
      clearTimeout(timer);
    }
    this.#hasLoaded = true;
    this.release();
  }

  /** Takes an idle one for a request. */
  take(): void {
    this.#state = "busy";
  }

  /** It is free for another request. */
  release(): void {
    if (this.#state === "ended") return;
    this.#state = "idle";
    this.#idleSince = performance.now();
  }

  /** A request to the function. An error of it means that the sandbox has ended, or will. */
  request(options: RequestOptions): ClientRequest {
    return request({ ...options, agent: this.#agent, setHost: false });
  }

  /** Kills all of its processes, with nothing asked; one that is `abandoned` may exit by itself first. */
  end(reason: EndReason): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    if (reason === "abandoned") this.#abandon();
    else {
      this.#reason = reason;
      killGroup(this.#child.pid);
    }
  }

  #abandon(): void {
    this.#connection.destroy();
    const killer = setTimeout(() => {
      this.#reason = "abandoned";
      killGroup(this.#child.pid);
    }, EXIT_WITHIN_MS);
    this.ended.then(() => clearTimeout(killer));
  }

  async #order(): Promise<LoadFailure | undefined> {
    const { order, made, door } = this.options;
    const { entryName, ...rest } = order;
    const body = JSON.stringify({
      ...rest,
      ...(door && { doorFd: DOOR_FD }),
      entry: `${made.paths.code}/${entryName}`,
    });
    const sent = this.request({ method: "POST", path: "/", headers: { "content-length": Buffer.byteLength(body) } });
    sent.end(body);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once("response", resolve).once("error", reject);
    });
    const content = await json(answer);
    return answer.statusCode === 200 ? undefined : (content as LoadFailure);
  }

  async #awaitEnd(): Promise<SandboxEnd> {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
      this.#child.once("exit", (...exit) => resolve(exit)).once("error", () => resolve([127, null]));
    });
    this.#state = "ended";
    killGroup(this.#child.pid);
    await this.options.made.remove();
    if (this.door) await rm(this.door, { force: true });
    return { reason: this.#reason, code, signal };
  }
}

export function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal ? `by ${signal}` : `with exit code ${code}`;
}

export function describeEnd({ reason, code, signal }: SandboxEnd): string {
  if (reason === "memory") return "it took more memory than its share";
  if (reason) return `its sandbox was ended: ${reason}`;
  return `its sandbox ended by itself ${describeExit(code, signal)}`;
}

class OneConnection extends Agent {
  readonly #connection: Socket;

  constructor(connection: Socket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#connection = connection;
  }

  override createConnection(): Socket {
    return this.#connection;
  }
}
