/** The functions service as the processes of this folder reach it. */

import { readFunctionsAccess } from "@genserverless/shared/functions/access.ts";
import { FunctionsAway, FunctionsClient, FunctionsProblem } from "@genserverless/shared/functions/functions-client.ts";

export const service = new FunctionsClient(readFunctionsAccess(process.env));

/** The service's refusal, where the error is one with that code. */
export function isProblem(error: unknown, ...codes: string[]): error is FunctionsProblem {
  return error instanceof FunctionsProblem && codes.includes(error.code);
}

/** Whether the same may go well in a moment. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof FunctionsAway || isProblem(error, "no_capacity", "queue_full", "queue_timeout", "unauthorized")
  );
}
