/** Reads what an app answered to an envelope. What it asks for is looked at again where it is done: here is only its shape. */

import { isPidPart } from "genserverless/runtime/limits.ts";
import type { TurnFailureCode } from "genserverless/runtime/turn.ts";
import {
  findFault,
  isAnything,
  isCount,
  isObject,
  isOneOf,
  isText,
  isTime,
  isWord,
  listOf,
  optional,
  record,
  type Shape,
  type Test,
  variant,
} from "genserverless/web/shape.ts";
import { type TurnAnswer, WIRE_VERSION } from "genserverless/web/wire.ts";

/** The codes with which a callback can fail where it runs. */
const CODES: readonly TurnFailureCode[] = [
  "call_cycle",
  "callback_failed",
  "callback_timeout",
  "command_failed",
  "invalid_message",
  "invalid_return",
  "reply_not_json",
  "reply_too_large",
  "state_not_json",
  "state_too_large",
];
const MOST_STACK = 50;

const OPTIONS = optional(
  record({
    tags: optional(listOf(isText, 16)),
    idleAfterMs: optional((value) => value === "infinity" || isCount(value)),
  }),
);

/** A name that was given is looked at where it is done; one that was made up is not. */
const isTimerName: Test = (name) =>
  isWord(name) && (!(name as string).startsWith("~") || isPidPart((name as string).slice(1)));

const isAsk = variant("do", {
  cast: { pid: isWord, message: isAnything, delayMs: optional(isTime) },
  info: { pid: isWord, message: isAnything, delayMs: optional(isTime) },
  start: { pid: isWord, args: isAnything, options: OPTIONS },
  stop: { pid: isWord, reason: isWord },
  exit: { pid: isWord, reason: isWord },
  reply: { from: record({ pid: isWord, messageId: isWord }), value: isAnything },
  timer: {
    name: isTimerName,
    message: isAnything,
    dueAt: optional(isTime),
    everyMs: optional(isCount),
    cron: optional(isWord),
    timezone: optional(isWord),
    missed: optional(isOneOf("skip", "once", "all")),
  },
  cancel: { name: isText },
  monitor: { pid: isWord, ref: isPidPart },
  demonitor: { ref: isWord },
  link: { pid: isWord },
  unlink: { pid: isWord },
  join: { group: isWord },
  leave: { group: isWord },
  publish: { group: isWord, message: isAnything },
  tags: { tags: listOf(isText, 16) },
});

const isQuestion = variant("ask", {
  call: { id: isWord, pid: isWord, message: isAnything, timeoutMs: isCount },
  startAndWait: { id: isWord, pid: isWord, args: isAnything, options: OPTIONS, timeoutMs: isCount },
  stopAndWait: { id: isWord, pid: isWord, reason: isWord, timeoutMs: isCount },
  members: { id: isWord, group: isWord },
});

const LOGS = listOf(
  record({ level: isOneOf("debug", "info", "warn", "error"), fields: isObject, text: optional(isText) }),
  2_000,
);
const ASKING: Shape = { v: isOneOf(WIRE_VERSION), kind: isText, asks: listOf(isAsk), logs: LOGS };
const WITH_STATE: Shape = {
  ...ASKING,
  state: isAnything,
  stateTag: isWord,
  reply: optional(record({ value: isAnything })),
};
const NEXT = (value: unknown) =>
  value === "hibernate" || record({ continue: isAnything })(value) || record({ timeout: isTime })(value);

const ANSWERS: Readonly<Record<TurnAnswer["kind"], Shape>> = {
  "goes-on": { ...WITH_STATE, next: optional(NEXT) },
  stops: { ...WITH_STATE, reason: isWord },
  refuses: { ...ASKING, reason: isWord },
  ignores: ASKING,
  done: ASKING,
  changed: { v: isOneOf(WIRE_VERSION), kind: isText, state: isAnything },
  fails: {
    v: isOneOf(WIRE_VERSION),
    kind: isText,
    failure: record({ code: isOneOf(...CODES), detail: isText, stack: listOf(isText, MOST_STACK) }),
    logs: LOGS,
  },
  waits: {
    v: isOneOf(WIRE_VERSION),
    kind: isText,
    questions: (value) => listOf(isQuestion, 10_000)(value) && (value as unknown[]).length > 0,
  },
};

/** The answer, which is of one of these kinds, or what is wrong with it. */
export function readAnswer(body: unknown, kinds: readonly TurnAnswer["kind"][]): TurnAnswer | { fault: string } {
  const { kind } = (isObject(body) ? body : {}) as { kind?: TurnAnswer["kind"] };
  if (kind === undefined || !kinds.includes(kind)) return { fault: "its kind is none of this callback" };
  const fault = findFault(body, ANSWERS[kind]);
  return fault === undefined ? (body as TurnAnswer) : { fault: `its field ${fault} is wrong` };
}
