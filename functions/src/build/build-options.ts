import type { Manifest } from "@genserverless/shared/functions/manifest.ts";
import type { Sandboxes } from "../sandbox/sandboxes.ts";
import type { BuildLog } from "./build-log.ts";

/** What every runtime is given to build a project. */
export interface BuildOptions {
  sandboxes: Sandboxes;
  log: BuildLog;
  /** The project's files, in place. */
  tree: string;
  uid: number;
  /** How many there may be, with those of the project's functions. */
  processes: number;
  manifest: Manifest;
  signal: AbortSignal;
}
