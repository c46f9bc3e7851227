/** What a project's manifest says, read and checked: every default is filled in. */

export interface Manifest {
  repo?: string | undefined;
  runtime: "node" | "go";
  functions: FunctionSpec[];
}

export interface FunctionSpec {
  name: string;
  type: "http" | "cron" | "event";
  /** Of a cron function: five or six fields, a nickname such as `@hourly`, or `@every` and a duration. */
  schedule?: string | undefined;
  timezone?: string | undefined;
  /** Of an event function: the group whose events it is told. */
  topic?: string | undefined;
  /** Of a cron function: whether a run may begin while the one before is under way. */
  overlap: boolean;
  /** What becomes of ticks that come too late, or while a run is under way. */
  missed: "once" | "skip" | "all";
  meta: Record<string, string>;
  env: Record<string, string>;
  timeoutMs: number;
  memoryMb: number;
  /** Sandboxes at once. */
  concurrency: number;
  keepWarm: number;
}

export interface ManifestProblem {
  /** From 1. */
  line: number;
  /** What is meant, e.g. `functions[1].schedule`; empty for the file as a whole. */
  field: string;
  message: string;
}
