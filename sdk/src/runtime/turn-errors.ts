/** What a context throws at a callback that asks for what cannot be. */

/** The turn is over; its context does nothing any more. */
export class TurnEndedError extends Error {
  override name = "TurnEndedError";
}

/** An argument of a context's function is wrong; the message says which, and what would be right. */
export class EffectError extends Error {
  override name = "EffectError";
}

/** A `ctx.call` did not get a reply. `code` is one of the cluster's error codes, e.g. `call_timeout` or `call_cycle`. */
export class CallError extends Error {
  override name = "CallError";
  readonly code: string;

  constructor(code: string, detail: string) {
    super(`${code}: ${detail}`);
    this.code = code;
  }
}

/** What was thrown, in one short line. Never throws: anything can be thrown. */
export function firstLineOf(thrown: unknown): string {
  try {
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    return String(text).split("\n")[0]?.slice(0, 300) ?? "";
  } catch {
    return "a value that cannot be described";
  }
}

/** A turn has emitted more than it can; none of it is kept, whether this is caught or not. */
export class TooManyEventsError extends Error {
  override name = "TooManyEventsError";
}
