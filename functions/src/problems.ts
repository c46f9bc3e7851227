/**
 * Every error that a caller of this service can see, in one table: code → HTTP status and title. It leaves as problem+json
 * (RFC 9457).
 */

export const PROBLEMS = {
  invalid_json: [400, "The body is not JSON"],
  invalid_request: [400, "The request is not as this route takes it"],
  invalid_repository: [400, "The repository is not a URL or path that this service takes"],
  unauthorized: [401, "A valid token is needed"],
  repository_refused: [403, "The operator does not allow this repository"],
  unknown_route: [404, "There is no such route"],
  unknown_project: [404, "There is no such project"],
  unknown_build: [404, "There is no such build"],
  unknown_checkout: [404, "This commit has not been fetched"],
  unknown_function: [404, "There is no such function"],
  unknown_run: [404, "There is no such run"],
  no_current: [404, "The project has no current build"],
  repository_not_found: [404, "The repository cannot be read"],
  ref_not_found: [404, "The repository has no such branch, tag or commit"],
  method_not_allowed: [405, "The route does not take this method"],
  project_conflict: [409, "The project's name belongs to another repository"],
  body_too_large: [413, "The body is too large"],
  repository_empty: [422, "The repository has no commits"],
  repository_too_large: [422, "The repository is too large"],
  symlink_refused: [422, "A symbolic link leads out of the repository"],
  submodule_refused: [422, "A submodule cannot be fetched"],
  manifest_missing: [422, "The repository has no .eserveless.yaml"],
  manifest_invalid: [422, "The manifest has mistakes"],
  build_failed: [422, "The build failed"],
  queue_full: [429, "Too many requests wait for this function"],
  queue_timeout: [429, "The function was busy for as long as the request may wait"],
  function_threw: [500, "The function threw"],
  internal_error: [500, "Something went wrong inside the functions service"],
  no_git: [501, "There is no git on this machine"],
  upgrade_unsupported: [501, "Functions take no WebSocket and no other upgrade"],
  function_died: [502, "The function's sandbox ended before it had answered"],
  function_not_started: [502, "The function cannot be started"],
  bad_answer: [502, "What the function answered is not HTTP"],
  draining: [503, "This service is about to leave"],
  no_capacity: [503, "There is no room for another sandbox"],
  function_timeout: [504, "The function did not answer in time"],
  repository_timeout: [504, "The repository did not come in time"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** `members` are further fields of the problem document, e.g. the problems of a manifest. */
export class Problem extends Error {
  override name = "Problem";
  readonly code: ProblemCode;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: ProblemCode, detail: string, members: Record<string, unknown> = {}) {
    super(detail);
    this.code = code;
    this.members = members;
  }

  get status(): number {
    return PROBLEMS[this.code][0];
  }

  toDocument(): object {
    const { code, message: detail, members, status } = this;
    return { type: `urn:genserverless:problem:${code}`, title: PROBLEMS[code][1], status, detail, code, ...members };
  }
}
