/** Every error that the console answers with, as problem+json: those of the cluster, and its own. */

import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { Response } from "express";

const OWN = {
  forbidden: [403, "The token does not allow this"],
  too_many_attempts: [429, "Too many attempts with a wrong token"],
  too_many_streams: [503, "Too many readers without a token follow already"],
  api_refused: [502, "The cluster does not take sysmon's API_TOKEN"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

const PROBLEMS = { ...ERRORS, ...OWN };

export type ProblemCode = ErrorCode | keyof typeof OWN;

/** Thrown by a handler, answered by the app. */
export class Problem extends Error {
  override name = "Problem";
  readonly code: ProblemCode;
  readonly headers: Record<string, string>;

  constructor(code: ProblemCode, detail?: string, headers: Record<string, string> = {}) {
    super(detail ?? PROBLEMS[code][1]);
    this.code = code;
    this.headers = headers;
  }
}

export function answerProblem(response: Response, { code, message, headers }: Problem): void {
  const [status, title] = PROBLEMS[code];
  const detail = message === title ? {} : { detail: message };
  response
    .status(status)
    .set(headers)
    .set("cache-control", "no-store")
    .type("application/problem+json")
    .send(JSON.stringify({ type: `urn:genserverless:problem:${code}`, title, status, ...detail, code }));
}
