/** Reads what a worker sent. */

import { isPidPart } from "../runtime/limits.ts";
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
} from "./shape.ts";
import { type Envelope, WIRE_VERSION } from "./wire.ts";

const isPid: Test = (value) => {
  const parts = typeof value === "string" ? value.split("/") : [];
  return parts.length === 2 && parts.every(isPidPart);
};

const isAnswered: Test = (value) => {
  const shape = isObject(value) && Object.hasOwn(value as object, "error") ? FAILED : ANSWERED;
  return findFault(value, shape) === undefined;
};
const ANSWERED: Shape = { id: isWord, value: isAnything };
const FAILED: Shape = { id: isWord, error: record({ code: optional(isText), message: isText }) };

const ENVELOPE: Shape = {
  v: isOneOf(WIRE_VERSION),
  module: isPidPart,
  version: isCount,
  callback: isOneOf("init", "handleCall", "handleCast", "handleInfo", "handleContinue", "terminate", "codeChange"),
  pid: isPid,
  messageId: isText,
  attempt: isCount,
  time: isTime,
  seed: isText,
  content: isAnything,
  state: () => true,
  stateTag: optional(isWord),
  ties: optional(
    record({
      timers: optional(listOf(isText)),
      monitors: optional(listOf(isText)),
      links: optional(listOf(isText)),
      groups: optional(listOf(isText)),
    }),
  ),
  answers: optional(listOf(isAnswered)),
};

/** The envelope, or which field of it is wrong. */
export function readEnvelope(body: unknown): Envelope | { fault: string } {
  const fault = findFault(body, ENVELOPE);
  if (fault !== undefined) return { fault: fault === "" ? "the body is no object" : `the field ${fault} is wrong` };
  return body as Envelope;
}
