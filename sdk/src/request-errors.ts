/** How a request can fail: the cluster answered with a problem, or no answer came. */

export interface Problem {
  status: number;
  code: string;
  detail: string;
  messageId: string | undefined;
  retryAfterMs: number | undefined;
  idempotencyKey: string | undefined;
}

/** The cluster's answer is an error. `code` is stable; `http_<status>` where something in between has answered. */
export class ProblemError extends Error {
  override name = "ProblemError";
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  /** The message the problem is about: its outcome can be asked for. */
  readonly messageId: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The key that a POST carried: with it the request can be repeated without being done twice. */
  readonly idempotencyKey: string | undefined;

  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`);
    this.status = problem.status;
    this.code = problem.code;
    this.detail = problem.detail;
    this.messageId = problem.messageId;
    this.retryAfterMs = problem.retryAfterMs;
    this.idempotencyKey = problem.idempotencyKey;
  }
}

/** No answer came: whether the request was done is not known. */
export class ConnectionError extends Error {
  override name = "ConnectionError";
  /** The key that a POST carried: with it the request can be repeated without being done twice. */
  readonly idempotencyKey: string | undefined;

  constructor(detail: string, idempotencyKey: string | undefined, cause?: unknown) {
    super(detail, { cause });
    this.idempotencyKey = idempotencyKey;
  }
}
