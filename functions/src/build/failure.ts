/** Why a build failed: a code that stays the same, and words. */

export type FailureCode =
  | "no_toolchain"
  | "not_isolated"
  | "no_entry"
  | "package_broken"
  | "lock_file_missing"
  | "lock_file_broken"
  | "no_npm"
  | "dependencies_failed"
  | "compile_failed"
  | "not_loaded"
  | "not_exported"
  | "link_refused"
  | "too_large"
  | "timeout"
  | "cancelled"
  | "internal_error";

const LONGEST = 4_000;

export class BuildFailure extends Error {
  override name = "BuildFailure";
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message.slice(0, LONGEST));
    this.code = code;
  }
}
