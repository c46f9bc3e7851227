/** Reads the arguments of a context's functions. Each throws EffectError, which names the function and what would be right. */

import { inspect } from "node:util";
import type { From, Missed, Pid, StartingOptions } from "../contract.ts";
import {
  isDelay,
  isPidPart,
  LONGEST_DELAY_MS,
  LONGEST_REASON,
  LONGEST_TAG,
  MOST_MESSAGE_BYTES,
  MOST_TAGS,
} from "./limits.ts";
import { EffectError, firstLineOf } from "./turn-errors.ts";

const LONGEST_CALL_MS = 600_000;
const MISSED: readonly Missed[] = ["skip", "once", "all"];
const TIMER_NAME = /^[^\s~].{0,127}$/;
const PID_RULE = "1 to 128 characters of [A-Za-z0-9._~-], and neither . nor ..";

export function readPid(what: string, pid: unknown): Pid {
  const parts = typeof pid === "string" ? pid.split("/") : [];
  if (parts.length === 2 && parts.every(isPidPart)) return pid as Pid;
  throw new EffectError(`ctx.${what}: a pid is module/key, not ${show(pid)}`);
}

export function readFrom(from: unknown): From {
  const { pid, messageId } = (typeof from === "object" && from !== null ? from : {}) as Partial<From>;
  if (typeof messageId === "string" && messageId !== "") return { pid: readPid("reply", pid), messageId };
  throw new EffectError(`ctx.reply: the first argument must be the from of a handleCall, not ${show(from)}`);
}

export interface ReadStart {
  pid: Pid;
  argsText: string;
  /** JSON text, or "" where there are none. */
  optionsText: string;
}

/** `newKey` makes the key where none is given. */
export function readStart(
  what: string,
  module: unknown,
  { key, args, tags, idleAfterMs }: StartingOptions,
  newKey: () => string,
): ReadStart {
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
  const optionsText = Object.keys(options).length > 0 ? JSON.stringify(options) : "";
  return { pid: `${module}/${key ?? newKey()}`, argsText: toText(what, "the arguments", args), optionsText };
}

/** Whole ms from `least` to a year. */
export function readDelay(what: string, name: string, ms: unknown, least = 0): number {
  if (isDelay(ms) && ms >= least) return ms;
  const range = `a whole number from ${least} to ${LONGEST_DELAY_MS}`;
  throw new EffectError(`ctx.${what}: ${name} must be ${range}, not ${show(ms)}`);
}

/** Well formed: scripts read it, and Redis keeps no lone surrogate. */
export function readTimerName(what: string, name: unknown): string {
  if (typeof name === "string" && TIMER_NAME.test(name)) return name.toWellFormed();
  const rule = "1 to 128 characters, the first neither a space nor ~";
  throw new EffectError(`ctx.${what}: a timer's name must be ${rule}, not ${show(name)}`);
}

/** Well formed: scripts read it, and one that was cut within a character is no JSON to them. */
export function readReason(what: string, reason: unknown): string {
  if (typeof reason === "string" && reason !== "" && reason.length <= LONGEST_REASON) return reason.toWellFormed();
  throw new EffectError(
    `ctx.${what}: the reason must be a text of 1 to ${LONGEST_REASON} characters, not ${show(reason)}`,
  );
}

export function readTimeout(what: string, timeoutMs: unknown): number {
  if (Number.isInteger(timeoutMs) && Number(timeoutMs) >= 1 && Number(timeoutMs) <= LONGEST_CALL_MS) {
    return Number(timeoutMs);
  }
  const range = `a whole number from 1 to ${LONGEST_CALL_MS}`;
  throw new EffectError(`ctx.${what}: timeoutMs must be ${range}, not ${show(timeoutMs)}`);
}

export function readMissed(what: string, missed: unknown): { missed?: Missed } {
  if (missed === undefined) return {};
  if (MISSED.includes(missed as Missed)) return { missed: missed as Missed };
  throw new EffectError(`ctx.${what}: missed must be one of ${MISSED.join(", ")}, not ${show(missed)}`);
}

export function checkGroup(what: string, group: unknown): void {
  if (!isPidPart(group)) throw new EffectError(`ctx.${what}: a group's name must be ${PID_RULE}, not ${show(group)}`);
}

export function readTags(what: string, tags: unknown): string[] {
  const isTag = (tag: unknown) => typeof tag === "string" && tag !== "" && tag.length <= LONGEST_TAG;
  if (Array.isArray(tags) && tags.length <= MOST_TAGS && tags.every(isTag)) return [...new Set(tags as string[])];
  const rule = `at most ${MOST_TAGS} texts of 1 to ${LONGEST_TAG} characters`;
  throw new EffectError(`ctx.${what}: tags must be ${rule}, not ${show(tags)}`);
}

export function toText(what: string, subject: string, value: unknown): string {
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
