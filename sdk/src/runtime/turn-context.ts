/**
 * What a callback holds of its turn. What it asks for is checked at once, gathered as effects, and leaves with the commit:
 * the runtime – a worker, or the test kit – takes them when the turn counts, and forgets them when it does not.
 *
 * A context is sealed when its turn has ended: what the callback's code still does after its deadline, or after the lease
 * was lost, can change nothing, and its signal has fired.
 */

import type { Context, From, Log, Pid, SendingOptions, StartingOptions, TickOptions } from "../contract.ts";
import {
  checkGroup,
  type ReadStart,
  readDelay,
  readFrom,
  readMissed,
  readPid,
  readReason,
  readStart,
  readTags,
  readTimeout,
  readTimerName,
  toText,
} from "./effect-arguments.ts";
import type { Effect } from "./effects.ts";
import { MOST_TIES } from "./limits.ts";
import { toLogFields } from "./log-fields.ts";
import { checkCron } from "./schedule.ts";
import type { Ties, Timer } from "./ties.ts";
import { EffectError, TurnEndedError } from "./turn-errors.ts";

/** What a context asks of the runtime while its turn is under way. */
export interface TurnHost {
  now(): number;
  /** A new id for a message to this process. */
  newMessageId(): string;
  /** A new key, or reference, that nobody else has. */
  newKey(): string;
  /** Whether the cluster has a module of this name. */
  knowsModule(module: string): boolean;
  call(pid: Pid, messageText: string, timeoutMs: number): Promise<unknown>;
  startAndWait(pid: Pid, argsText: string, optionsText: string, timeoutMs: number): Promise<void>;
  stopAndWait(pid: Pid, reason: string, timeoutMs: number): Promise<void>;
  members(group: string): Promise<Pid[]>;
}

export interface TurnFacts {
  pid: Pid;
  messageId: string;
  attempt: number;
}

const DEFAULT_CALL_TIMEOUT_MS = 5_000;
/** As for a start and a stop over HTTP. */
const DEFAULT_LIFE_TIMEOUT_MS = 60_000;

export class TurnContext implements Context {
  readonly pid: Pid;
  readonly module: string;
  readonly key: string;
  readonly messageId: string;
  readonly attempt: number;
  readonly #host: TurnHost;
  readonly #ties: Ties;
  readonly #log: Log;
  #effects: Effect[] = [];
  #controller: AbortController | undefined;
  /** Why the turn has ended. The error is made for whoever needs it: a stack for each turn is dear. */
  #ending: string | undefined;

  constructor({ pid, messageId, attempt }: TurnFacts, host: TurnHost, ties: Ties, log: Log) {
    const slash = pid.indexOf("/");
    this.pid = pid;
    this.module = pid.slice(0, slash);
    this.key = pid.slice(slash + 1);
    this.messageId = messageId;
    this.attempt = attempt;
    this.#host = host;
    this.#ties = ties;
    this.#log = log;
  }

  /** What the turn has asked for so far. */
  get effects(): readonly Effect[] {
    return this.#effects;
  }

  /** Ends the turn for its code; `cause` is told to whoever still uses the context. */
  seal(cause: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = cause;
    this.#controller?.abort(this.#toError(cause));
  }

  /**
   * This turn as a runtime takes part in it whose callbacks run elsewhere: what it asks for there becomes this turn's, under
   * a host that it makes of the turn's own.
   */
  through(makeHost: (host: TurnHost, ties: Ties) => TurnHost): TurnContext {
    const other = new TurnContext(this, makeHost(this.#host, this.#ties), this.#ties, this.#log);
    other.#effects = this.#effects;
    return other;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ending !== undefined) this.#controller.abort(this.#toError(this.#ending));
    return this.#controller.signal;
  }

  get log(): Log {
    this.#checkOpen();
    return {
      debug: (fields, text) => this.#write("debug", fields, text),
      info: (fields, text) => this.#write("info", fields, text),
      warn: (fields, text) => this.#write("warn", fields, text),
      error: (fields, text) => this.#write("error", fields, text),
    };
  }

  now(): number {
    return this.#host.now();
  }

  cast(pid: string, message: unknown, options: SendingOptions = {}): void {
    this.#send("cast", pid, message, options);
  }

  info(pid: string, message: unknown, options: SendingOptions = {}): void {
    this.#send("info", pid, message, options);
  }

  start(module: string, options: StartingOptions = {}): Pid {
    const { pid, argsText, optionsText } = this.#readStart("start", module, options);
    this.#do({ do: "start", pid, argsText, optionsText });
    return pid;
  }

  stop(pid: string, reason = "normal"): void {
    this.#do({ do: "stop", pid: readPid("stop", pid), reason: readReason("stop", reason) });
  }

  exit(pid: string, reason: string): void {
    this.#do({ do: "exit", pid: readPid("exit", pid), reason: readReason("exit", reason) });
  }

  reply(from: From, value: unknown): void {
    const to = readFrom(from);
    const replyText = toText("reply", "the reply", value);
    this.#do({ do: "reply", from: to, replyText });
  }

  async call(pid: string, message: unknown, { timeoutMs = DEFAULT_CALL_TIMEOUT_MS } = {}): Promise<unknown> {
    this.#checkOpen();
    const text = toText("call", "the message", message);
    return await this.#host.call(readPid("call", pid), text, readTimeout("call", timeoutMs));
  }

  async startAndWait(
    module: string,
    { timeoutMs = DEFAULT_LIFE_TIMEOUT_MS, ...options }: StartingOptions & { timeoutMs?: number } = {},
  ): Promise<Pid> {
    this.#checkOpen();
    const { pid, argsText, optionsText } = this.#readStart("startAndWait", module, options);
    await this.#host.startAndWait(pid, argsText, optionsText, readTimeout("startAndWait", timeoutMs));
    return pid;
  }

  async stopAndWait(
    pid: string,
    reason = "normal",
    { timeoutMs = DEFAULT_LIFE_TIMEOUT_MS }: { timeoutMs?: number } = {},
  ): Promise<void> {
    this.#checkOpen();
    const to = readPid("stopAndWait", pid);
    await this.#host.stopAndWait(to, readReason("stopAndWait", reason), readTimeout("stopAndWait", timeoutMs));
  }

  sendAfter(ms: number, message: unknown, { name }: { name?: string } = {}): string {
    readDelay("sendAfter", "ms", ms);
    return this.#arm("sendAfter", name, message, { dueAt: this.#host.now() + ms });
  }

  sendEvery(ms: number, message: unknown, { name, missed }: TickOptions = {}): string {
    readDelay("sendEvery", "ms", ms, 1);
    const schedule = { everyMs: ms, ...readMissed("sendEvery", missed) };
    return this.#arm("sendEvery", name, message, { dueAt: this.#host.now() + ms, ...schedule });
  }

  cron(
    expression: string,
    message: unknown,
    { name, missed, timezone }: TickOptions & { timezone?: string } = {},
  ): string {
    const dueAt = checkCron(expression, timezone, this.#host.now());
    const schedule = { cron: expression, ...(timezone !== undefined && { timezone }), ...readMissed("cron", missed) };
    return this.#arm("cron", name, message, { dueAt, ...schedule });
  }

  cancel(name: string): boolean {
    this.#checkOpen();
    const known = String(name).toWellFormed();
    const timer = this.#ties.timer(known);
    if (!timer) return false;
    this.#ties.deleteTimer(known);
    this.#do({ do: "disarm", id: timer.id });
    return true;
  }

  monitor(pid: string): string {
    const to = readPid("monitor", pid);
    this.#checkRoom("monitor");
    const ref = this.#host.newKey();
    this.#do({ do: "monitor", pid: to, ref });
    this.#ties.setMonitor(ref, to);
    return ref;
  }

  demonitor(ref: string): boolean {
    this.#checkOpen();
    const pid = this.#ties.monitor(ref);
    if (!pid) return false;
    this.#ties.deleteMonitor(ref);
    this.#do({ do: "demonitor", pid, ref });
    return true;
  }

  link(pid: string): void {
    const to = readPid("link", pid);
    if (to === this.pid || this.#ties.isLinked(to)) return;
    this.#checkRoom("link");
    const ref = this.#host.newKey();
    this.#do({ do: "link", pid: to, ref });
    this.#ties.addLink(to, ref);
  }

  unlink(pid: string): void {
    const to = readPid("unlink", pid);
    this.#checkOpen();
    const refs = this.#ties.linkRefs(to);
    if (this.#ties.removeLink(to, refs)) this.#do({ do: "unlink", pid: to, refs });
  }

  join(group: string): void {
    checkGroup("join", group);
    this.#checkOpen();
    if (this.#ties.isMember(group)) return;
    this.#checkRoom("join");
    this.#do({ do: "join", group });
    this.#ties.setMember(group);
  }

  leave(group: string): void {
    checkGroup("leave", group);
    this.#checkOpen();
    if (this.#ties.deleteMember(group)) this.#do({ do: "leave", group });
  }

  async members(group: string): Promise<Pid[]> {
    this.#checkOpen();
    checkGroup("members", group);
    return await this.#host.members(group);
  }

  publish(group: string, message: unknown): void {
    checkGroup("publish", group);
    this.#do({ do: "publish", group, messageText: toText("publish", "the message", message) });
  }

  setTags(tags: readonly string[]): void {
    this.#do({ do: "tags", tags: readTags("setTags", tags) });
  }

  #send(kind: "cast" | "info", pid: string, message: unknown, { delayMs = 0 }: SendingOptions): void {
    const messageText = toText(kind, "the message", message);
    this.#do({ do: kind, pid: readPid(kind, pid), messageText, delayMs: readDelay(kind, "delayMs", delayMs) });
  }

  #arm(what: string, given: string | undefined, message: unknown, timer: Omit<Timer, "id">): string {
    this.#checkOpen();
    const name = given === undefined ? `~${this.#host.newKey()}` : readTimerName(what, given);
    const messageText = toText(what, "the message", message);
    if (!this.cancel(name)) this.#checkRoom(what);
    const armed = { id: this.#host.newMessageId(), ...timer };
    const isOnce = timer.everyMs === undefined && timer.cron === undefined;
    this.#ties.setTimer(name, isOnce ? armed : { ...armed, messageText });
    this.#do({ do: "arm", name, timer: armed, messageText });
    return name;
  }

  #readStart(what: string, module: string, options: StartingOptions): ReadStart {
    const start = readStart(what, module, options, () => this.#host.newKey());
    if (this.#host.knowsModule(module)) return start;
    throw new EffectError(`ctx.${what}: there is no module ${JSON.stringify(module)}`);
  }

  #do(effect: Effect): void {
    this.#checkOpen();
    this.#effects.push(effect);
  }

  #checkOpen(): void {
    if (this.#ending !== undefined) throw this.#toError(this.#ending);
  }

  #toError(cause: string): TurnEndedError {
    return new TurnEndedError(`the turn of ${this.pid} has ended: ${cause}`);
  }

  #checkRoom(what: string): void {
    this.#checkOpen();
    if (this.#ties.size >= MOST_TIES) {
      throw new EffectError(`ctx.${what}: a process has at most ${MOST_TIES} timers, monitors, links and groups`);
    }
  }

  #write(level: keyof Log, fields: object, text?: string): void {
    this.#checkOpen();
    this.#log[level](toLogFields(this.pid, fields), text);
  }
}
