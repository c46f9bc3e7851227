/**
 * The contract between a module and the cluster: the callbacks an author writes and what they are given. Types only;
 * `defineServer` checks a definition against it, `readReturn` what a callback has returned.
 */

import type { CallReturn, CastReturn, InitReturn, Ok, Return } from "./returns.ts";

export type MaybePromise<T> = T | Promise<T>;

/** The process's log: fields first, as they should be found again, then a text for the reader. */
export interface Log {
  debug(fields: object, text?: string): void;
  info(fields: object, text?: string): void;
  warn(fields: object, text?: string): void;
  error(fields: object, text?: string): void;
}

/** What a callback knows about its turn. */
export interface Context {
  /** The address of the process, `module/key`. */
  readonly pid: `${string}/${string}`;
  readonly module: string;
  readonly key: string;
  /** The message of this turn. */
  readonly messageId: string;
  /** Aborts at the turn's deadline, and when another worker has taken the process over. */
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Who waits for the reply of a call. */
export interface From {
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
  handleCall?(message: Call, from: From, state: State<Started>, ctx: Context): MaybePromise<Called>;
  handleCast?(message: Cast, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Without it an info is logged and ignored, as in OTP. */
  handleInfo?(message: Info, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Runs after a turn that returned `{ continue: value }`, before any other message. */
  handleContinue?(value: unknown, state: State<Started>, ctx: Context): MaybePromise<CastReturn<State<Started>>>;
  /** Runs when the process stops, not when it is put to sleep. What it returns is ignored. */
  terminate?(reason: string, state: State<Started>, ctx: Context): unknown;
}

export type CallbackName = keyof Callbacks<unknown, unknown, unknown, never, unknown, unknown>;

/** Nothing to ask for where init returns a state or a return of its own; otherwise what it should have returned. */
export type InitCheck<Started> = [Exclude<Extract<Started, Return>, InitReturn<unknown>>] extends [never]
  ? unknown
  : { init(...given: never): MaybePromise<InitReturn<unknown>> };
