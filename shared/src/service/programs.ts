/** Programs of this machine, by name. */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where programs lie although a user's PATH does not say so. */
const FOLDERS = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

export function findProgram(name: string): string | undefined {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  return [...path, ...FOLDERS].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
