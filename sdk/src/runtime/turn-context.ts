/**
 * What a callback holds of its turn. What it asks for is checked at once, gathered as effects, and leaves with the commit:
 * the runtime – a worker, or the test kit – takes them when the turn counts, and forgets them when it does not.
 *
 * A context is sealed when its turn has ended: what the callback's code still does after its deadline, or after the lease
 * was lost, can change nothing, and its signal has fired.
 */

import { inspect } from "node:util";
import type { Context, From, Log, Missed, Pid, SendingOptions, StartingOptions, TickOptions } from "../contract.ts";
import {
  isDelay,
  isPidPart,
  LONGEST_DELAY_MS,
  LONGEST_REASON,
  LONGEST_TAG,
  MOST_MESSAGE_BYTES,
  MOST_TAGS,
  MOST_TIES,
} from "./limits.ts";
import { checkCron } from "./schedule.ts";
import type { Ties, Timer } from "./ties.ts";
import { EffectError, firstLineOf, TurnEndedError } from "./turn-errors.ts";

/** What a turn wants done once it is committed, in the order in which it asked. Texts are JSON. */
export type Effect =
  | { readonly do: "cast" | "info"; readonly pid: Pid; readonly messageText: string; readonly delayMs: number }
  | { readonly do: "start"; readonly pid: Pid; readonly argsText: string; readonly optionsText: string }
  | { readonly do: "stop" | "exit"; readonly pid: Pid; readonly reason: string }
  | { readonly do: "reply"; readonly from: From; readonly replyText: string }
  /** A timer's message sets out, due at `timer.dueAt`. */
  | { readonly do: "arm"; readonly name: string; readonly timer: Timer; readonly messageText: string }
  /** A timer's message, if it is still on its way, is taken back. */
  | { readonly do: "disarm"; readonly id: string }
  | { readonly do: "monitor" | "demonitor"; readonly pid: Pid; readonly ref: string }
  | { readonly do: "link" | "unlink"; readonly pid: Pid }
  | { readonly do: "join" | "leave"; readonly group: string }
  | { readonly do: "publish"; readonly group: string; readonly messageText: string }
  | { readonly do: "tags"; readonly tags: readonly string[] };

/** What a context asks of the runtime while its turn is under way. */
export interface TurnHost {
  now(): number;
  /** A new id for a message to this process. */
  newMessageId(): string;
  /** A new key, or reference, that nobody else has. */
  newKey(): string;
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
const LONGEST_CALL_MS = 600_000;
const MISSED: readonly Missed[] = ["skip", "once", "all"];
const TIMER_NAME = /^[^\s~].{0,127}$/;

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
  #ended: TurnEndedError | undefined;

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
    if (this.#ended) return;
    this.#ended = new TurnEndedError(`the turn of ${this.pid} has ended: ${cause}`);
    this.#controller?.abort(this.#ended);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended) this.#controller.abort(this.#ended);
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
    if (!isDelay(ms)) {
      throw new EffectError(`ctx.sendAfter: ms must be a whole number from 0 to ${LONGEST_DELAY_MS}, not ${show(ms)}`);
    }
    return this.#arm("sendAfter", name, message, { dueAt: this.#host.now() + ms });
  }

  sendEvery(ms: number, message: unknown, { name, missed }: TickOptions = {}): string {
    if (!isDelay(ms) || ms === 0) {
      throw new EffectError(`ctx.sendEvery: ms must be a whole number from 1 to ${LONGEST_DELAY_MS}, not ${show(ms)}`);
    }
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
    const timer = this.#ties.timer(name);
    if (!timer) return false;
    this.#ties.deleteTimer(name);
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
    this.#do({ do: "link", pid: to });
    this.#ties.setLink(to);
  }

  unlink(pid: string): void {
    const to = readPid("unlink", pid);
    this.#checkOpen();
    if (this.#ties.deleteLink(to)) this.#do({ do: "unlink", pid: to });
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
    if (!isDelay(delayMs)) {
      const range = `a whole number from 0 to ${LONGEST_DELAY_MS}`;
      throw new EffectError(`ctx.${kind}: delayMs must be ${range}, not ${show(delayMs)}`);
    }
    const messageText = toText(kind, "the message", message);
    this.#do({ do: kind, pid: readPid(kind, pid), messageText, delayMs });
  }

  #arm(what: string, given: string | undefined, message: unknown, timer: Omit<Timer, "id">): string {
    this.#checkOpen();
    if (given !== undefined && (typeof given !== "string" || !TIMER_NAME.test(given))) {
      const rule = "1 to 128 characters, the first neither a space nor ~";
      throw new EffectError(`ctx.${what}: a timer's name must be ${rule}, not ${show(given)}`);
    }
    const messageText = toText(what, "the message", message);
    const name = given ?? `~${this.#host.newKey()}`;
    if (!this.cancel(name)) this.#checkRoom(what);
    const armed = { id: this.#host.newMessageId(), ...timer };
    const isOnce = timer.everyMs === undefined && timer.cron === undefined;
    this.#ties.setTimer(name, isOnce ? armed : { ...armed, messageText });
    this.#do({ do: "arm", name, timer: armed, messageText });
    return name;
  }

  #readStart(what: string, module: string, { key, args, tags, idleAfterMs }: StartingOptions) {
    if (!isPidPart(module)) throw new EffectError(`ctx.${what}: the module must be ${PID_RULE}, not ${show(module)}`);
    if (key !== undefined && !isPidPart(key)) {
      throw new EffectError(`ctx.${what}: the key must be ${PID_RULE}, not ${show(key)}`);
    }
    if (idleAfterMs !== undefined && idleAfterMs !== Infinity && (!isDelay(idleAfterMs) || idleAfterMs === 0)) {
      throw new EffectError(`ctx.${what}: idleAfterMs must be whole ms or Infinity, not ${show(idleAfterMs)}`);
    }
    const options = {
      ...(tags !== undefined && { tags: readTags(what, tags) }),
      ...(idleAfterMs !== undefined && { idleAfterMs: idleAfterMs === Infinity ? "infinity" : idleAfterMs }),
    };
    const pid: Pid = `${module}/${key ?? this.#host.newKey()}`;
    const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
    return { pid, argsText: toText(what, "the arguments", args), optionsText };
  }

  #do(effect: Effect): void {
    this.#checkOpen();
    this.#effects.push(effect);
  }

  #checkOpen(): void {
    if (this.#ended) throw this.#ended;
  }

  #checkRoom(what: string): void {
    this.#checkOpen();
    if (this.#ties.size >= MOST_TIES) {
      throw new EffectError(`ctx.${what}: a process has at most ${MOST_TIES} timers, monitors, links and groups`);
    }
  }

  #write(level: keyof Log, fields: object, text?: string): void {
    this.#checkOpen();
    this.#log[level]({ pid: this.pid, ...fields }, text);
  }
}

const PID_RULE = "1 to 128 characters of [A-Za-z0-9._~-], and neither . nor ..";

function readPid(what: string, pid: unknown): Pid {
  const parts = typeof pid === "string" ? pid.split("/") : [];
  if (parts.length === 2 && parts.every(isPidPart)) return pid as Pid;
  throw new EffectError(`ctx.${what}: a pid is module/key, not ${show(pid)}`);
}

function readFrom(from: unknown): From {
  const { pid, messageId } = (typeof from === "object" && from !== null ? from : {}) as Partial<From>;
  if (typeof messageId === "string" && messageId !== "") return { pid: readPid("reply", pid), messageId };
  throw new EffectError(`ctx.reply: the first argument must be the from of a handleCall, not ${show(from)}`);
}

function readReason(what: string, reason: unknown): string {
  if (typeof reason === "string" && reason !== "" && reason.length <= LONGEST_REASON) return reason;
  throw new EffectError(
    `ctx.${what}: the reason must be a text of 1 to ${LONGEST_REASON} characters, not ${show(reason)}`,
  );
}

function readTimeout(what: string, timeoutMs: unknown): number {
  if (Number.isInteger(timeoutMs) && Number(timeoutMs) >= 1 && Number(timeoutMs) <= LONGEST_CALL_MS) {
    return Number(timeoutMs);
  }
  const range = `a whole number from 1 to ${LONGEST_CALL_MS}`;
  throw new EffectError(`ctx.${what}: timeoutMs must be ${range}, not ${show(timeoutMs)}`);
}

function readMissed(what: string, missed: unknown): { missed?: Missed } {
  if (missed === undefined) return {};
  if (MISSED.includes(missed as Missed)) return { missed: missed as Missed };
  throw new EffectError(`ctx.${what}: missed must be one of ${MISSED.join(", ")}, not ${show(missed)}`);
}

function checkGroup(what: string, group: unknown): void {
  if (!isPidPart(group)) throw new EffectError(`ctx.${what}: a group's name must be ${PID_RULE}, not ${show(group)}`);
}

function readTags(what: string, tags: unknown): string[] {
  const isTag = (tag: unknown) => typeof tag === "string" && tag !== "" && tag.length <= LONGEST_TAG;
  if (Array.isArray(tags) && tags.length <= MOST_TAGS && tags.every(isTag)) return [...new Set(tags as string[])];
  const rule = `at most ${MOST_TAGS} texts of 1 to ${LONGEST_TAG} characters`;
  throw new EffectError(`ctx.${what}: tags must be ${rule}, not ${show(tags)}`);
}

function toText(what: string, subject: string, value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? "null";
  } catch (error) {
    throw new EffectError(`ctx.${what}: ${subject} cannot be JSON: ${firstLineOf(error)}`);
  }
  if (text.length <= MOST_MESSAGE_BYTES && Buffer.byteLength(text) <= MOST_MESSAGE_BYTES) return text;
  throw new EffectError(`ctx.${what}: ${subject} has ${Buffer.byteLength(text)} bytes; at most ${MOST_MESSAGE_BYTES}`);
}

function show(value: unknown): string {
  const text = inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
