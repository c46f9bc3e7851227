/** How a command can fail, and what a script sees of it: the exit code, and one line on stderr. */

import { ConnectionError, ProblemError } from "genserverless/client";

export const EXIT_CODES = {
  ok: 0,
  /** The cluster said no. */
  refused: 1,
  /** The command line is not as it should be. */
  wrongUsage: 2,
  /** No answer came, or the cluster cannot serve just now: the same command may do later. */
  unreachable: 3,
  /** No reply in time, or what became of the message is not known. */
  timedOut: 4,
  /** The token is missing or wrong. */
  unauthorized: 5,
  /** What should not happen: a defect of the command line itself. */
  defect: 70,
} as const;

/** What the command line says is wrong, before anything is sent. */
export class WrongUsage extends Error {}

/** The command did what it could, and a person should look. Each of the details is told in a line of its own. */
export class Refused extends Error {
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super(message);
    this.details = details;
  }
}

/** A ConnectionError that knows where it wanted to go. */
export class Unreachable extends Error {}

const TIMED_OUT_CODES = ["call_timeout", "outcome_unknown", "function_timeout"];
/** It is the function that does not serve; the cluster does. */
const FUNCTION_FAULTS = ["function_died", "function_not_started", "bad_answer"];

export interface Failure {
  line: string;
  /** Told below the line. */
  details?: readonly string[];
  exitCode: number;
}

export function describeFailure(error: unknown): Failure {
  if (error instanceof WrongUsage) {
    return { line: `${error.message} (see --help)`, exitCode: EXIT_CODES.wrongUsage };
  }
  if (error instanceof Refused) {
    return { line: error.message, details: error.details, exitCode: EXIT_CODES.refused };
  }
  if (error instanceof ProblemError) return describeProblem(error);
  if (error instanceof ConnectionError || error instanceof Unreachable) {
    return { line: error.message, exitCode: EXIT_CODES.unreachable };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return { line: "no answer within --timeout; what was sent may still be done", exitCode: EXIT_CODES.timedOut };
  }
  const line = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { line, exitCode: EXIT_CODES.defect };
}

function describeProblem(problem: ProblemError): Failure {
  const about = problem.messageId === undefined ? "" : ` (message ${problem.messageId})`;
  const hint = problem.code === "unauthorized" ? " (set API_TOKEN, or give --token)" : "";
  return { line: `${problem.code}: ${problem.detail}${about}${hint}`, exitCode: exitCodeOf(problem) };
}

function exitCodeOf({ status, code }: ProblemError): number {
  if (status === 401 || status === 403) return EXIT_CODES.unauthorized;
  if (TIMED_OUT_CODES.includes(code)) return EXIT_CODES.timedOut;
  if (FUNCTION_FAULTS.includes(code)) return EXIT_CODES.refused;
  return status === 502 || status === 503 || status === 504 ? EXIT_CODES.unreachable : EXIT_CODES.refused;
}
