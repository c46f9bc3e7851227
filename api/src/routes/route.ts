/**
 * A route is one value: what it takes, what it answers, and its handler. The app mounts it and the OpenAPI document
 * describes it, so that neither can say what the other does not do.
 */

import type { ErrorCode } from "@genserverless/shared/service/errors.ts";
import type { z } from "zod";
import type { Input } from "../request/input.ts";
import type { Answer } from "../respond.ts";

export interface AnswerDescription {
  description: string;
  /** Of a JSON answer; one of `schemas.ts`. */
  schema?: z.ZodType;
  /** The content type of an answer that is text. */
  text?: string;
  /** Name → what it says. */
  headers?: Readonly<Record<string, string>>;
}

export interface Route<Body = unknown, Query = unknown> {
  /** `all` takes what no other route of the path does; it is no part of the OpenAPI document. */
  readonly method: "get" | "post" | "delete" | "all";
  /** In Express's form, e.g. `/v1/messages/:id`. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  /** Answers without the token too. */
  readonly isPublic?: true;
  readonly body?: z.ZodType<Body>;
  /** The handler reads the request itself, whatever its query and body are, and may answer it too (`isSent`). */
  readonly isRelayed?: true;
  /** A request without a body counts as `{}`. */
  readonly isBodyOptional?: true;
  /** Makes the body of its bytes, whatever Content-Type and query the request has; `body` only describes it then. */
  readonly readBody?: (bytes: Buffer) => Body;
  /** 1 MiB unless given. */
  readonly mostBodyBytes?: number;
  readonly query?: z.ZodType<Query>;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** What it may refuse with, beside what any route may (`unauthorized`, `internal_error`, …). */
  readonly problems: readonly ErrorCode[];
  handle(input: Input<Body, Query>): Promise<Answer> | Answer;
}

/** Checks a handler against its own schemas, then forgets their types. */
export function defineRoute<Body, Query>(route: Route<Body, Query>): Route {
  return route;
}
