/** Holds a value against a schema; what does not fit becomes the one error code that its caller can act on. */

import { ClusterError, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { z } from "zod";

/** Fields with a code of their own: for a text that is malformed, for a number that is out of range. */
const MALFORMED_TEXT: Record<string, ErrorCode> = { module: "invalid_pid", key: "invalid_pid" };
const WRONG_NUMBER: Record<string, ErrorCode> = { timeoutMs: "invalid_timeout" };

const MOST_DETAIL = 300;

/** `where` names the thing in errors: `the body`, `the query`. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues;
  const detail = issues.slice(0, 3).map((issue) => describeIssue(issue, value, where));
  throw new ClusterError(codeOf(issues[0], value), detail.join("; ").slice(0, MOST_DETAIL));
}

function codeOf(issue: z.core.$ZodIssue | undefined, value: unknown): ErrorCode {
  if (issue?.path.length !== 1) return "invalid_request";
  const field = String(issue.path[0]);
  const given = valueAt(value, issue.path);
  const codes = typeof given === "string" ? MALFORMED_TEXT : typeof given === "number" ? WRONG_NUMBER : {};
  return codes[field] ?? "invalid_request";
}

function describeIssue(issue: z.core.$ZodIssue, value: unknown, where: string): string {
  const path = issue.path.length === 0 ? where : issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.slice(0, 3).map((key) => JSON.stringify([...issue.path, key].join(".").slice(0, 64)));
    return `${where} has an unknown field ${names.join(", ")}`;
  }
  if (valueAt(value, issue.path) === undefined) return `${path} is missing`;
  return `${path}: ${issue.message}`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step], value);
}
