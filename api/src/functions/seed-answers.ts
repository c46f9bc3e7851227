/** The bodies that clients of an older system know, and what becomes of an error of the functions service on this road. */

import { FunctionsAway, FunctionsProblem } from "@genserverless/shared/functions/functions-client.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Answer } from "../respond.ts";

export const NO_PROJECT: Answer = { status: 404, json: { message: "project not found!" } };
export const NO_FUNCTION: Answer = { status: 404, json: { message: "function not found!" } };
export const UNPARSED: Answer = badRequest("unable to parse request data");

export function badRequest(message: string, detail?: string): Answer {
  return { status: 400, json: { error: "Bad Request", message, ...(detail !== undefined && { detail }) } };
}

export function conflict(message: string): Answer {
  return { status: 409, json: { error: "Conflict", message } };
}

/** Why a repository could not be deployed. Throws what is no refusal of the functions service. */
export function explainRefusal(error: unknown): Answer {
  if (error instanceof FunctionsAway) throw unavailable(error);
  if (!(error instanceof FunctionsProblem)) throw error;
  const { code, message, members } = error;
  if (code === "invalid_repository" || code === "repository_refused") {
    return badRequest("repository field is not a valid github repository url", message);
  }
  if (code === "invalid_request") return badRequest("ref field is not a branch, tag or commit", message);
  if (code === "project_conflict") return conflict(message);
  return { status: 500, json: { error: "Server Error", message, code, ...members } };
}

export function unavailable(error: unknown): ClusterError {
  return new ClusterError("functions_unavailable", (error as Error).message);
}
