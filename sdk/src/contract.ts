/**
 * The contract between a module and the cluster: the callbacks an author writes and what they are given. Types only;
 * `defineServer` checks a definition against it, `readReturn` what a callback has returned.
 */

import type { CallReturn, CastReturn, InitReturn, Ok, Return } from "./returns.ts";

export type MaybePromise<T> = T | Promise<T>;

/**
 * The process's log: fields first, as they should be found again, then a text for the reader. Fields called `id`, `time`,
 * `level`, `node`, `pid`, `module` or `fields` are found below `fields`: those names are the cluster's.
 */
export interface Log {
  debug(fields: object, text?: string): void;
  info(fields: object, text?: string): void;
  warn(fields: object, text?: string): void;
  error(fields: object, text?: string): void;
}

export type Pid = `${string}/${string}`;

/** What a callback knows about its turn, and what it can want done once the turn is committed. */
export interface Context {
  /** The address of the process, `module/key`. */
  readonly pid: Pid;
  readonly module: string;
  readonly key: string;
  /** The message of this turn. */
  readonly messageId: string;
  /** Which try of this message this is, from 1; more only where the module has `retry`. */
  readonly attempt: number;
  /** Aborts at the turn's deadline, and when another worker has taken the process over. */
  readonly signal: AbortSignal;
  readonly log: Log;

  /** The cluster's time, in ms since the epoch: Redis's, or the test kit's virtual one. */
  now(): number;

  /** Sends to handleCast of another process, or of this one. Exactly once, in order per sender and target. */
  cast(pid: string, message: unknown, options?: SendingOptions): void;
  /** Sends to handleInfo. */
  info(pid: string, message: unknown, options?: SendingOptions): void;
  /** Starts a process, unless it is there already; returns its pid, with a generated key unless one is given. */
  start(module: string, options?: StartingOptions): Pid;
  /** Stops a process, in order with its other mail. */
  stop(pid: string, reason?: string): void;
  /** Sends an exit signal, as a linked process's end does; `kill` cannot be trapped. */
  exit(pid: string, reason: string): void;
  /** Answers a call whose handleCall returned `noreply`. Of several replies to one call the first counts. */
  reply(from: From, value: unknown): void;

  /**
   * Waits for another process's reply, at most 5,000 ms unless given, and never longer than this turn or its own caller
   * may take. The one effect that others see before this turn commits: a turn that runs again repeats its calls by id, and
   * gets the same replies. Rejects with a CallError.
   */
  call(pid: string, message: unknown, options?: { timeoutMs?: number }): Promise<unknown>;
  /** As `start`, and waits until the process has started; known to others before this turn commits, like a call. */
  startAndWait(module: string, options?: StartingOptions & { timeoutMs?: number }): Promise<Pid>;
  /** As `stop`, and waits until the process has stopped; done at once where there is none. */
  stopAndWait(pid: string, reason?: string, options?: { timeoutMs?: number }): Promise<void>;

  /** Sends this process an info after `ms`, 0 to a year. A timer of the same name is replaced. Returns the timer's name. */
  sendAfter(ms: number, message: unknown, options?: { name?: string }): string;
  /** Sends it every `ms`, 1 to a year, until cancelled. */
  sendEvery(ms: number, message: unknown, options?: TickOptions): string;
  /** Sends it at the times of a cron expression (5 fields, or 6 with seconds), in UTC unless a time zone is given. */
  cron(expression: string, message: unknown, options?: TickOptions & { timezone?: string }): string;
  /** Cancels a timer, also one that is due and still waits for its turn. Says whether there was one. */
  cancel(name: string): boolean;

  /** Sends this process an info `{ type: "DOWN", ref, pid, reason }` when the other ends; reason noproc where it is not there. */
  monitor(pid: string): string;
  /** Ends a monitor; a DOWN of it that is on its way is not delivered. */
  demonitor(ref: string): boolean;
  /** When either ends, the other gets an exit signal. */
  link(pid: string): void;
  unlink(pid: string): void;

  join(group: string): void;
  leave(group: string): void;
  /** Who is in the group now. */
  members(group: string): Promise<Pid[]>;
  /** Sends an info to every member of the group. */
  publish(group: string, message: unknown): void;

  /** Replaces the tags by which the process can be listed. At most 16, of 1 to 64 characters. */
  setTags(tags: readonly string[]): void;
}

export interface SendingOptions {
  /** 0 to a year. */
  delayMs?: number;
}

export interface StartingOptions {
  key?: string;
  args?: unknown;
  tags?: readonly string[];
  idleAfterMs?: number;
}

/** What becomes of ticks that the process was not there for: none, one, or each of them is made up. */
export type Missed = "skip" | "once" | "all";

export interface TickOptions {
  name?: string;
  /** `once` unless given. */
  missed?: Missed;
}

/** Who waits for the reply of a call. It is plain JSON: keep it in the state, or send it to another process. */
export interface From {
  readonly pid: Pid;
  readonly messageId: string;
}

/** The state in what init returns. */
export type StateOf<Started> = Started extends Ok<infer State> ? State : Started extends Return ? never : Started;

type State<Started> = NoInfer<StateOf<Started>>;

/**
 * The callbacks, each of which may be async. `Started` is what init returns; the state of all others is inferred from
 * it. A message is any JSON value that a client sent: the type an author gives it is a claim that nobody has checked.
 */
export interface Callbacks<Started, Args, Call, Called extends CallReturn<unknown, StateOf<Started>>, Cast, Info> {
  /** Makes the first state; a bare state means `ok(state)`. The process is started once it is committed. */
  init(args: Args, ctx: Context): MaybePromise<Started>;
  /** `noreply` leaves the caller waiting: answer with `ctx.reply(from, value)`. */
  handleCall?(message: Call, from: From, state: State<Started>, ctx: Context): MaybePromise<Called>;
  handleCast?(message: Cast, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Without it an info is logged and ignored, as in OTP. */
  handleInfo?(message: Info, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Runs after a turn that returned `{ continue: value }`, before any other message. */
  handleContinue?(value: unknown, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Runs when the process stops, not when it is put to sleep. What it returns is ignored. */
  terminate?(reason: string, state: State<Started>, ctx: Context): unknown;
  /** Makes this version's state of one that an earlier version left. Runs before the next callback. */
  codeChange?(fromVersion: number, state: unknown): MaybePromise<State<Started>>;
  /** What is stored of a state, any JSON value; the state itself unless given. */
  dump?(state: State<Started>): unknown;
  /** The state of what `dump` stored. */
  load?(stored: unknown): State<Started>;
}

export type CallbackName = keyof Callbacks<unknown, unknown, unknown, never, unknown, unknown>;

/** Nothing to ask for where init returns a state or a return of its own; otherwise what it should have returned. */
export type InitCheck<Started> = [Exclude<Extract<Started, Return>, InitReturn<unknown>>] extends [never]
  ? unknown
  : { init(...given: never): MaybePromise<InitReturn<unknown>> };
