/** What a caller gets instead of a reply: a gRPC status and a text, whatever has gone wrong inside. */

import { ClusterError, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { status } from "@grpc/grpc-js";
import { TIMED_OUT } from "../entity/entity-stream.ts";
import { TargetError } from "./targets.ts";

export class CallFailure extends Error {
  override name = "CallFailure";
  readonly status: status;

  constructor(code: status, message: string) {
    super(message);
    this.status = code;
  }
}

/** What the others are is UNKNOWN: the turn failed. */
const STATUSES: Partial<Record<ErrorCode, status>> = {
  call_timeout: status.DEADLINE_EXCEEDED,
  callback_timeout: status.DEADLINE_EXCEEDED,
  mailbox_full: status.RESOURCE_EXHAUSTED,
  reply_too_large: status.RESOURCE_EXHAUSTED,
  state_too_large: status.RESOURCE_EXHAUSTED,
  no_workers: status.UNAVAILABLE,
  no_process: status.UNAVAILABLE,
  redis_unavailable: status.UNAVAILABLE,
  storage_full: status.UNAVAILABLE,
  outcome_unknown: status.UNAVAILABLE,
  draining: status.UNAVAILABLE,
  cancelled: status.CANCELLED,
  skipped: status.ABORTED,
  internal_error: status.INTERNAL,
};

export function toCallFailure(error: unknown): CallFailure {
  if (error instanceof CallFailure) return error;
  if (error instanceof TargetError) return new CallFailure(status.INVALID_ARGUMENT, error.message);
  if (!(error instanceof ClusterError)) return new CallFailure(status.INTERNAL, "Something went wrong in the gateway");
  if (error.message === TIMED_OUT) return new CallFailure(status.DEADLINE_EXCEEDED, TIMED_OUT);
  return new CallFailure(STATUSES[error.code] ?? status.UNKNOWN, error.message);
}
