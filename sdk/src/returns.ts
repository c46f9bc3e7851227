/**
 * What a callback may return: one closed union, each member with the builder that makes it. The names are OTP's.
 *
 * A return carries a registered symbol, which no JSON state can carry. So init's bare state is told from a return with
 * certainty, also when the module came with another copy of this package than the worker's.
 */

export const RETURN: unique symbol = Symbol.for("genserverless.return") as never;

/**
 * What happens after the turn: `continue` runs handleContinue with the value before any other message; `timeout` sends the
 * process the info "timeout" unless another message comes within so many ms; `hibernate` puts it to sleep at once instead
 * of after its idle time.
 */
export type Next = "hibernate" | { readonly continue: unknown } | { readonly timeout: number };

export interface Ok<State> {
  readonly [RETURN]: "ok";
  readonly state: State;
  readonly next: Next | undefined;
}

export interface Reply<Value, State> {
  readonly [RETURN]: "reply";
  readonly reply: Value;
  readonly state: State;
  readonly next: Next | undefined;
}

export interface NoReply<State> {
  readonly [RETURN]: "noreply";
  readonly state: State;
  readonly next: Next | undefined;
}

/** init's stop: there is no state yet, and the process is not started. */
export interface StopStart {
  readonly [RETURN]: "stop-start";
  readonly reason: string;
}

/** init's other way to decline: no error, and no process. */
export interface Ignore {
  readonly [RETURN]: "ignore";
}

export interface Stop<State> {
  readonly [RETURN]: "stop";
  readonly reason: string;
  readonly state: State;
}

export interface StopReply<Value, State> {
  readonly [RETURN]: "stop-reply";
  readonly reason: string;
  readonly reply: Value;
  readonly state: State;
}

export type InitReturn<State> = Ok<State> | StopStart | Ignore;
export type CallReturn<Value, State> = Reply<Value, State> | NoReply<State> | Stop<State> | StopReply<Value, State>;
export type CastReturn<State> = NoReply<State> | Stop<State>;
export type Return = InitReturn<unknown> | CallReturn<unknown, unknown> | CastReturn<unknown>;

/** init: the process is started with this state. */
export function ok<State>(state: State, next?: Next): Ok<State> {
  return freeze({ [RETURN]: "ok", state, next });
}

/** handleCall: answers the caller, once the state is committed. */
export function reply<Value, State>(value: Value, state: State, next?: Next): Reply<Value, State> {
  return freeze({ [RETURN]: "reply", reply: value, state, next });
}

/** Goes on with this state; in handleCall the reply comes later, by `ctx.reply(from, value)`. */
export function noreply<State>(state: State, next?: Next): NoReply<State> {
  return freeze({ [RETURN]: "noreply", state, next });
}

/** init: there is to be no process, and that is no error. */
export function ignore(): Ignore {
  return freeze({ [RETURN]: "ignore" });
}

type AnyStop = StopStart | Stop<unknown> | StopReply<unknown, unknown>;

/** Ends the process after terminate has run: `stop(reason)` in init, with the state elsewhere, with a reply in handleCall. */
export function stop(reason: string): StopStart;
export function stop<State>(reason: string, state: State): Stop<State>;
export function stop<Value, State>(reason: string, reply: Value, state: State): StopReply<Value, State>;
export function stop(reason: string, ...rest: unknown[]): AnyStop {
  if (rest.length === 0) return freeze({ [RETURN]: "stop-start", reason });
  if (rest.length === 1) return freeze({ [RETURN]: "stop", reason, state: rest[0] });
  return freeze({ [RETURN]: "stop-reply", reason, reply: rest[0], state: rest[1] });
}

export function isReturn(value: unknown): value is Return {
  return typeof value === "object" && value !== null && RETURN in value;
}

function freeze<R extends Return>(value: R): R {
  return Object.freeze(value);
}
