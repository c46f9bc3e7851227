/** `defineServer` makes a module of a definition, or says when the file is loaded which field of which module is wrong. */

import { checkDefinition } from "./check-definition.ts";
import type { Callbacks, InitCheck, StateOf } from "./contract.ts";
import {
  type AnyReturned,
  type Calls,
  type Casts,
  type GivenCalls,
  type GivenCasts,
  readHandlers,
} from "./handlers.ts";
import type { JournalRules } from "./journaled.ts";
import type { CallReturn } from "./returns.ts";

const SERVER_MODULE: unique symbol = Symbol.for("genserverless.module") as never;

export const DEFAULT_TURN_TIMEOUT_MS = 30_000;
export const DEFAULT_IDLE_AFTER_MS = 60_000;
const DEFAULT_INTENSITY: Intensity = { crashes: 100, withinMs: 10_000 };
const DEFAULT_MAILBOX = { messages: 10_000, bytes: 64 * 1024 * 1024 };

export interface Definition<
  Started,
  Args,
  Call,
  Called extends CallReturn<unknown, StateOf<Started>>,
  Cast,
  Info,
  CallArgs = unknown,
  Replies = unknown,
  CastArgs = unknown,
  InfoArgs = unknown,
> extends Callbacks<Started, Args, Call, Called, Cast, Info> {
  /** The first part of every pid of this module. */
  name: string;
  /** Rises with every change of the state's shape. */
  version: number;
  /** The deadline of a turn, in ms; 30,000 unless given. */
  turnTimeoutMs?: number;
  /** After so many ms without a message a process is put to sleep, its state kept; 60,000 unless given, Infinity for never. */
  idleAfterMs?: number;
  /** Whether the first message starts the process, init getting null: a virtual actor. */
  onDemand?: boolean;
  /** Whether the state outlives a stop: never, after any but a normal one (as it is unless given), or always. */
  keepState?: KeepState;
  /** When the state is written: with every turn unless given. docs/otp.md says what each other choice can lose. */
  writePolicy?: WritePolicy;
  /** A cast or info that fails is tried so often before it becomes a dead letter, the mailbox waiting; once unless given. */
  retry?: Retry;
  /** More crashes than this within the time, and the process is quarantined; 100 in 10,000 ms unless given. */
  intensity?: Intensity;
  /** What the mailbox holds before a message is refused; 10,000 messages and 64 MiB unless given. */
  mailbox?: { messages?: number; bytes?: number };
  /** Whether an exit signal becomes an info `{ type: "EXIT", pid, reason }` instead of ending the process. */
  trapExit?: boolean;
  /** The name of the state store; Redis unless given. */
  store?: string;
  /** Its events are kept instead of its state: see journaled.ts. Not with `store`, `writePolicy`, `dump`, `load`, `codeChange`. */
  journal?: JournalRules<NoInfer<StateOf<Started>>>;
  /** Named handlers, each with a validator of its arguments; what names none of them goes to handleCall. */
  calls?: GivenCalls<CallArgs, Replies, NoInfer<StateOf<Started>>>;
  /** What names none of them goes to handleCast. */
  casts?: GivenCasts<CastArgs, NoInfer<StateOf<Started>>>;
  /** What names none of them goes to handleInfo. `timeout`, `DOWN` and `EXIT` name the messages of that text or type. */
  infos?: GivenCasts<InfoArgs, NoInfer<StateOf<Started>>>;
}

export type KeepState = "never" | "after-crash" | "always";

/** Every so many turns or ms, whichever comes first, or only when the process leaves a worker's memory. */
export type WritePolicy = "every-turn" | "on-passivate" | { every: { turns?: number; ms?: number } };

export interface Retry {
  /** The first included. */
  attempts: number;
  /** Before the second attempt, in ms; `exponential` doubles it with each further one. None unless given. */
  backoff?: number | { type: "fixed" | "exponential"; delay: number };
}

export interface Intensity {
  crashes: number;
  withinMs: number;
}

/** A checked definition. Without type arguments it is any module, as the runtime sees it. */
export interface ServerModule<
  Started = unknown,
  Args = unknown,
  Call = unknown,
  Called extends CallReturn<unknown, StateOf<Started>> = CallReturn<unknown, StateOf<Started>>,
  Cast = unknown,
  Info = unknown,
  CallArgs = Record<string, unknown>,
  Replies = AnyReturned<StateOf<Started>>,
  CastArgs = Record<string, unknown>,
  InfoArgs = Record<string, unknown>,
> extends Callbacks<Started, Args, Call, Called, Cast, Info> {
  readonly [SERVER_MODULE]: true;
  readonly name: string;
  readonly version: number;
  readonly turnTimeoutMs: number;
  readonly idleAfterMs: number;
  readonly onDemand: boolean;
  readonly keepState: KeepState;
  readonly writePolicy: WritePolicy;
  readonly retry: Retry;
  readonly intensity: Intensity;
  readonly mailbox: { readonly messages: number; readonly bytes: number };
  readonly trapExit: boolean;
  readonly store: string;
  /** Undefined where the state itself is kept. */
  readonly journal: JournalRules<StateOf<Started>> | undefined;
  /** Undefined where there is no handler of the kind. */
  readonly calls: Calls<CallArgs, Replies, StateOf<Started>> | undefined;
  readonly casts: Casts<CastArgs, StateOf<Started>> | undefined;
  readonly infos: Casts<InfoArgs, StateOf<Started>> | undefined;
}

type None = Record<never, never>;

/** Throws InvalidModuleError, which names the module and the field. */
export function defineServer<
  Started,
  Args,
  Call,
  Called extends CallReturn<unknown, StateOf<Started>>,
  Cast,
  Info,
  CallArgs = None,
  Replies extends Record<keyof Replies, CallReturn<unknown, StateOf<Started>>> = None,
  CastArgs = None,
  InfoArgs = None,
>(
  definition: Definition<Started, Args, Call, Called, Cast, Info, CallArgs, Replies, CastArgs, InfoArgs> &
    InitCheck<Started>,
): ServerModule<Started, Args, Call, Called, Cast, Info, CallArgs, Replies, CastArgs, InfoArgs> {
  checkDefinition(definition);
  const { calls, casts, infos, ...given } = definition as Definition<Started, Args, Call, Called, Cast, Info>;
  const module: ServerModule<Started, Args, Call, Called, Cast, Info, CallArgs, Replies, CastArgs, InfoArgs> = {
    ...given,
    [SERVER_MODULE]: true as const,
    turnTimeoutMs: given.turnTimeoutMs ?? DEFAULT_TURN_TIMEOUT_MS,
    idleAfterMs: given.idleAfterMs ?? DEFAULT_IDLE_AFTER_MS,
    onDemand: given.onDemand ?? false,
    keepState: given.keepState ?? "after-crash",
    writePolicy: given.writePolicy ?? "every-turn",
    retry: given.retry ?? { attempts: 1 },
    intensity: given.intensity ?? DEFAULT_INTENSITY,
    mailbox: {
      messages: given.mailbox?.messages ?? DEFAULT_MAILBOX.messages,
      bytes: given.mailbox?.bytes ?? DEFAULT_MAILBOX.bytes,
    },
    trapExit: given.trapExit ?? false,
    store: given.store ?? "redis",
    journal: given.journal,
    calls: readHandlers(calls),
    casts: readHandlers(casts),
    infos: readHandlers(infos),
  };
  return Object.freeze(module);
}

export function isServerModule(value: unknown): value is ServerModule {
  return typeof value === "object" && value !== null && SERVER_MODULE in value;
}
