/**
 * Child specs, OTP's: what a supervisor knows of a child before it is there. `readSupervision` and `readSpec` check what came
 * as JSON and fill in what was left out; each throws a SpecError that names the field.
 */

import { inspect } from "node:util";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Pid } from "../contract.ts";
import { isDelay, isPidPart, LONGEST_TAG, MOST_TAGS } from "../runtime/limits.ts";

export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one";

export interface ChildSpec {
  /** Unique among the children, a part of a pid. */
  id: string;
  start: {
    module: string;
    /** `<supervisor's key>.<id>` unless given. */
    key?: string;
    args?: unknown;
    tags?: readonly string[];
    idleAfterMs?: number | "infinity";
  };
  /** `permanent` unless given. */
  restart?: "permanent" | "transient" | "temporary";
  /** How long it may take to stop, in ms, before it is killed; 5,000 unless given, for a supervisor `infinity`. */
  shutdown?: number | "brutal-kill" | "infinity";
  /** `worker` unless given. */
  type?: "worker" | "supervisor";
}

export interface Supervision {
  /** `one-for-one` unless given. */
  strategy?: Strategy;
  /** More restarts than this within `maxSeconds`, and the supervisor gives up; 3 within 5 s unless given. */
  maxRestarts?: number;
  maxSeconds?: number;
  children?: readonly ChildSpec[];
}

/** A spec with nothing left out but its key. */
export type FullSpec = Required<Omit<ChildSpec, "start">> & Pick<ChildSpec, "start">;
export type FullSupervision = Required<Omit<Supervision, "children">> & { children: readonly FullSpec[] };
/** One that says which process it is about. */
export type PlacedSpec = FullSpec & { pid: Pid };

export class SpecError extends TypeError {
  override name = "SpecError";
}

const STRATEGIES = ["one-for-one", "one-for-all", "rest-for-one"];
const RESTARTS = ["permanent", "transient", "temporary"];
const TYPES = ["worker", "supervisor"];
const PART = "1 to 128 characters of [A-Za-z0-9._~-], and neither . nor ..";
const MOST_CHILDREN = 10_000;

export function readSupervision(given: unknown): FullSupervision {
  const fields = readRecord(given ?? {}, "the arguments", ["strategy", "maxRestarts", "maxSeconds", "children"]);
  const { strategy = "one-for-one", maxRestarts = 3, maxSeconds = 5, children = [] } = fields;
  check("strategy", strategy, STRATEGIES.includes(strategy as Strategy), oneOf(STRATEGIES));
  check("maxRestarts", maxRestarts, isCount(maxRestarts), "a whole number from 0");
  check("maxSeconds", maxSeconds, isCount(maxSeconds) && maxSeconds > 0, "a whole number from 1");
  const isList = Array.isArray(children) && children.length <= MOST_CHILDREN;
  check("children", children, isList, `a list of at most ${MOST_CHILDREN} child specs`);
  const specs = (children as unknown[]).map((spec, index) => readSpec(spec, `children[${index}]`));
  return { strategy: strategy as Strategy, maxRestarts, maxSeconds, children: specs } as FullSupervision;
}

/** `at` is where the spec stands, for errors. */
export function readSpec(given: unknown, at = ""): FullSpec {
  const field = (name: string) => (at === "" ? name : `${at}.${name}`);
  const fields = readRecord(given, at || "the child spec", ["id", "start", "restart", "shutdown", "type"]);
  const { id, restart = "permanent", type = "worker" } = fields;
  const { shutdown = type === "supervisor" ? "infinity" : 5_000 } = fields;
  check(field("id"), id, isPidPart(id), PART);
  check(field("restart"), restart, RESTARTS.includes(restart as string), oneOf(RESTARTS));
  check(field("type"), type, TYPES.includes(type as string), oneOf(TYPES));
  const isShutdown = isDelay(shutdown) || shutdown === "brutal-kill" || shutdown === "infinity";
  check(field("shutdown"), shutdown, isShutdown, 'whole ms from 0 to a year, "brutal-kill" or "infinity"');
  return { id, start: readStart(fields["start"], field("start")), restart, shutdown, type } as FullSpec;
}

function readStart(given: unknown, at: string): ChildSpec["start"] {
  const fields = readRecord(given, at, ["module", "key", "args", "tags", "idleAfterMs"]);
  const { module, key, args, tags, idleAfterMs } = fields;
  check(`${at}.module`, module, isPidPart(module), PART);
  check(`${at}.key`, key, key === undefined || isPidPart(key), PART);
  const isIdle = idleAfterMs === undefined || isForever(idleAfterMs) || (isDelay(idleAfterMs) && idleAfterMs > 0);
  check(`${at}.idleAfterMs`, idleAfterMs, isIdle, 'whole ms from 1 to a year, or "infinity"');
  const rule = `at most ${MOST_TAGS} texts of 1 to ${LONGEST_TAG} characters`;
  check(`${at}.tags`, tags, tags === undefined || areTags(tags), rule);
  return {
    module: module as string,
    ...(key !== undefined && { key: key as string }),
    ...(args !== undefined && { args }),
    ...(tags !== undefined && { tags: tags as string[] }),
    ...(idleAfterMs !== undefined && { idleAfterMs: isForever(idleAfterMs) ? "infinity" : (idleAfterMs as number) }),
  };
}

/** Which process the spec is about. `others` are the children that the supervisor has. */
export function placeChild(spec: FullSpec, supervisorKey: string, others: readonly PlacedSpec[]): PlacedSpec {
  const key = spec.start.key ?? `${supervisorKey}.${spec.id}`;
  if (!isPidPart(key)) throw new SpecError(`child ${spec.id}: give start.key, for ${key} is too long to be one`);
  const pid: Pid = `${spec.start.module}/${key}`;
  const twin = others.find((other) => other.id === spec.id || other.pid === pid);
  if (!twin) return { ...spec, pid };
  if (twin.id === spec.id) throw new SpecError(`two children have the id ${spec.id}`);
  throw new SpecError(`the children ${twin.id} and ${spec.id} are both ${pid}`);
}

/** For the handlers' arguments: checked by the api too, and refused as `invalid_message`. */
export const specSchema = toSchema<ChildSpec, FullSpec>((given) => readSpec(given));
export const idSchema = toSchema<string, string>((given) => {
  if (isPidPart(given)) return given;
  throw new SpecError(`a child's id must be ${PART}, not ${show(given)}`);
});

function toSchema<Input, Output>(read: (given: unknown) => Output): StandardSchemaV1<Input, Output> {
  const validate = (given: unknown): StandardSchemaV1.Result<Output> => {
    try {
      return { value: read(given) };
    } catch (error) {
      if (error instanceof SpecError) return { issues: [{ message: error.message }] };
      throw error;
    }
  };
  return { "~standard": { version: 1, vendor: "genserverless", validate } };
}

function readRecord(given: unknown, at: string, known: readonly string[]): Record<string, unknown> {
  check(at, given, typeof given === "object" && given !== null && !Array.isArray(given), "an object");
  const stranger = Object.keys(given as object).find((name) => !known.includes(name));
  if (stranger === undefined) return given as Record<string, unknown>;
  throw new SpecError(`${at} has an unknown field ${stranger}; known are ${known.join(", ")}`);
}

function check(field: string, value: unknown, isRight: boolean, what: string): void {
  if (!isRight) throw new SpecError(`${field} must be ${what}, not ${show(value)}`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isForever(value: unknown): boolean {
  return value === Infinity || value === "infinity";
}

function areTags(value: unknown): boolean {
  const isTag = (tag: unknown) => typeof tag === "string" && tag !== "" && tag.length <= LONGEST_TAG;
  return Array.isArray(value) && value.length <= MOST_TAGS && value.every(isTag);
}

function oneOf(texts: readonly string[]): string {
  return `one of ${texts.map((text) => `"${text}"`).join(", ")}`;
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 80, breakLength: Infinity, customInspect: false });
}
