/**
 * What goes between a worker and a web app that has modules mounted, version 1. docs/web-apps.md tells it with examples.
 *
 * A worker POSTs an envelope: one callback of one process, with all it needs. The app answers with what the callback came to
 * and what it asked for, and keeps nothing but a copy of the state, which the worker may name by its tag instead of sending
 * it again. What a callback waits for (`ctx.call` and its like) the app cannot ask itself: it answers with the questions, and
 * is invoked again with the answers, and the callback runs again from its start.
 */

import type { Pid } from "../contract.ts";
import type { ReturningCallback } from "../runtime/interpret.ts";

export const WIRE_VERSION = 1;

export const HEADERS = {
  /** When it was sent, in ms since the epoch. */
  timestamp: "x-genserverless-timestamp",
  /** Named by no other request. */
  nonce: "x-genserverless-nonce",
  signature: "x-genserverless-signature",
  /** When the answer is of use no more, in ms since the epoch, and in ms from now. */
  deadline: "x-genserverless-deadline",
  deadlineMs: "x-genserverless-deadline-ms",
} as const;

/** Of an envelope, and of an answer: a state and a reply of 8 MiB each, and what else was asked for. */
export const MOST_BODY_BYTES = 32 * 1024 * 1024;

export type RemoteCallback = ReturningCallback | "terminate" | "codeChange";

/** What an envelope asks for. `state` is there where there is one and its tag is not. */
export interface Envelope {
  readonly v: typeof WIRE_VERSION;
  readonly module: string;
  /** Of the module, as the worker knows it. */
  readonly version: number;
  readonly callback: RemoteCallback;
  readonly pid: Pid;
  readonly messageId: string;
  readonly attempt: number;
  /** The cluster's time at the beginning of the turn, in ms since the epoch. */
  readonly time: number;
  /** Names the turn: keys are made of it, the same ones when it runs again. */
  readonly seed: string;
  /** The message, init's args, handleContinue's value, terminate's reason, or the version that codeChange starts from. */
  readonly content: unknown;
  readonly state?: unknown;
  readonly stateTag?: string;
  readonly ties?: KnownTies;
  readonly answers?: readonly Answered[];
}

/** The names of what the process has, so far as a callback is told of it. */
export interface KnownTies {
  readonly timers?: readonly string[];
  readonly monitors?: readonly string[];
  readonly links?: readonly string[];
  readonly groups?: readonly string[];
}

/** What a callback waits for. `id` is made of what is asked. */
export type Question = { readonly id: string } & Asked;

export type Asked =
  | { readonly ask: "call"; readonly pid: Pid; readonly message: unknown; readonly timeoutMs: number }
  | {
      readonly ask: "startAndWait";
      readonly pid: Pid;
      readonly args: unknown;
      readonly options?: StartOptions;
      readonly timeoutMs: number;
    }
  | { readonly ask: "stopAndWait"; readonly pid: Pid; readonly reason: string; readonly timeoutMs: number }
  | { readonly ask: "members"; readonly group: string };

/** With `code` the error is a CallError. */
export type Answered = { readonly id: string } & (
  | { readonly value: unknown }
  | { readonly error: { readonly code?: string; readonly message: string } }
);

export interface StartOptions {
  readonly tags?: readonly string[];
  readonly idleAfterMs?: number | "infinity";
}

/** What a callback wants done with its turn's commit, in its order. */
export type Ask =
  | { readonly do: "cast" | "info"; readonly pid: string; readonly message: unknown; readonly delayMs?: number }
  | { readonly do: "start"; readonly pid: string; readonly args: unknown; readonly options?: StartOptions }
  | { readonly do: "stop" | "exit"; readonly pid: string; readonly reason: string }
  | {
      readonly do: "reply";
      readonly from: { readonly pid: string; readonly messageId: string };
      readonly value: unknown;
    }
  | TimerAsk
  | { readonly do: "cancel"; readonly name: string }
  | { readonly do: "monitor"; readonly pid: string; readonly ref: string }
  | { readonly do: "demonitor"; readonly ref: string }
  | { readonly do: "link" | "unlink"; readonly pid: string }
  | { readonly do: "join" | "leave"; readonly group: string }
  | { readonly do: "publish"; readonly group: string; readonly message: unknown }
  | { readonly do: "tags"; readonly tags: readonly string[] };

export interface TimerAsk {
  readonly do: "timer";
  /** One that begins with `~` was made up. */
  readonly name: string;
  readonly message: unknown;
  /** In ms since the epoch, of one that ticks once; when others do follows from the turn's time. */
  readonly dueAt?: number;
  readonly everyMs?: number;
  readonly cron?: string;
  readonly timezone?: string;
  readonly missed?: "skip" | "once" | "all";
}

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface LogLine {
  readonly level: LogLevel;
  readonly fields: object;
  readonly text?: string;
}

/** What every answer carries that is not `waits`. */
interface Asking {
  readonly asks: readonly Ask[];
  readonly logs: readonly LogLine[];
}

/** `stateTag` names the copy of the state that the app has kept. */
interface WithState {
  readonly state: unknown;
  readonly stateTag: string;
  readonly reply?: { readonly value: unknown };
}

export type Next = "hibernate" | { readonly continue: unknown } | { readonly timeout: number };

/** What a callback came to. `done` is terminate's, `changed` codeChange's. */
export type TurnAnswer =
  | ({ readonly kind: "goes-on"; readonly next?: Next } & WithState & Asking)
  | ({ readonly kind: "stops"; readonly reason: string } & WithState & Asking)
  | ({ readonly kind: "refuses"; readonly reason: string } & Asking)
  | ({ readonly kind: "ignores" } & Asking)
  | ({ readonly kind: "done" } & Asking)
  | { readonly kind: "changed"; readonly state: unknown }
  | {
      readonly kind: "fails";
      readonly failure: { readonly code: string; readonly detail: string; readonly stack: readonly string[] };
      readonly logs: readonly LogLine[];
    }
  | { readonly kind: "waits"; readonly questions: readonly Question[] };

/** Answers to an envelope that the worker knows what to do with; the status is 409. */
export type Conflict = "state_missing" | "other_version";

/** What an app answers to a GET. */
export interface Manifest {
  readonly v: typeof WIRE_VERSION;
  readonly modules: readonly ManifestEntry[];
}

export interface ManifestEntry {
  readonly name: string;
  readonly version: number;
  /** As `defineServer` takes them; idleAfterMs is null for never. */
  readonly rules: Readonly<Record<string, unknown>>;
  /** The callbacks that the module has, with or without named handlers. */
  readonly callbacks: readonly string[];
  /** The names of its named handlers. */
  readonly handlers: Readonly<Record<string, readonly string[]>>;
}
