/**
 * Every error that a caller can see, in one table: code → HTTP status and title. The api turns a `ClusterError` into a
 * problem+json answer; an outcome carries the code of the error that its turn met.
 */

export const ERRORS = {
  invalid_json: [400, "The body is not JSON"],
  invalid_request: [400, "The request is not as this route takes it"],
  invalid_pid: [400, "The module or key is malformed"],
  invalid_timeout: [400, "The timeout is out of range"],
  unauthorized: [401, "A valid token is needed"],
  cross_site: [403, "The request comes from another site's page"],
  unknown_host: [403, "The request was sent to a name that is not this server's"],
  no_process: [404, "There is no such process"],
  unknown_module: [404, "There is no such module"],
  unknown_message: [404, "There is no such message"],
  unknown_route: [404, "There is no such route"],
  method_not_allowed: [405, "The route does not take this method"],
  already_started: [409, "The process is already started"],
  not_started: [409, "The process has not started yet"],
  no_journal: [409, "The process keeps no journal"],
  not_paused: [409, "The process is not held back and at rest"],
  too_large_to_export: [409, "The mailbox or the journal is too large to be exported"],
  cancelled: [409, "The message was taken back"],
  skipped: [409, "The message was skipped by an operator"],
  not_cancellable: [409, "The message can no longer be taken back"],
  compacted: [410, "These events are no longer kept"],
  body_too_large: [413, "The body is too large"],
  unsupported_media_type: [415, "The body must be application/json"],
  idempotency_conflict: [422, "The Idempotency-Key was used with another body"],
  invalid_message: [422, "The module does not take this message"],
  command_failed: [422, "The command was refused"],
  init_failed: [422, "init failed"],
  init_stopped: [422, "init stopped the process"],
  init_ignored: [422, "The process declined to start"],
  mailbox_full: [429, "The mailbox is full"],
  call_cycle: [500, "Processes would wait for each other"],
  callback_failed: [500, "The callback threw"],
  callback_timeout: [500, "The callback exceeded its deadline"],
  invalid_return: [500, "The callback returned something that is not a legal return"],
  state_not_json: [500, "The state is not representable as JSON"],
  reply_not_json: [500, "The reply is not representable as JSON"],
  reply_too_large: [500, "The reply is too large"],
  state_too_large: [500, "The state is too large"],
  too_many_events: [500, "The turn emitted too many events"],
  journal_broken: [500, "The journal cannot be used"],
  node_died: [500, "The message ended its node too often"],
  internal_error: [500, "Something went wrong inside the cluster"],
  upgrade_unsupported: [501, "Functions take no WebSocket"],
  functions_unavailable: [503, "The functions service cannot be reached"],
  redis_unavailable: [503, "Redis cannot be reached"],
  no_workers: [503, "No live worker runs this module"],
  store_unavailable: [503, "The state store cannot be reached"],
  storage_full: [503, "Redis is full"],
  outcome_unknown: [503, "The outcome is not known; ask for it by the message's id"],
  no_api: [503, "No api node can be reached"],
  draining: [503, "This node is about to leave"],
  call_timeout: [504, "No reply within the timeout"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ErrorCode = keyof typeof ERRORS;

export class ClusterError extends Error {
  readonly code: ErrorCode;
  readonly messageId: string | undefined;

  constructor(code: ErrorCode, detail: string, messageId?: string) {
    super(detail);
    this.name = "ClusterError";
    this.code = code;
    this.messageId = messageId;
  }
}

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
