/** The address of a function's process. */

import type { Pid } from "genserverless";

export const PROJECT_MODULE = "functions.project";
export const FUNCTION_MODULE = "functions.function";

export function toFunctionPid(project: string, name: string): Pid {
  return `${FUNCTION_MODULE}/${project}~${name}`;
}
