/** The logs of all functions, by project and name. */

import { FunctionLog } from "./function-log.ts";

export class FunctionLogs {
  readonly #epoch = Date.now();
  readonly #logs = new Map<string, FunctionLog>();

  get(project: string, name: string): FunctionLog {
    const key = `${project}/${name}`;
    const known = this.#logs.get(key) ?? new FunctionLog(this.#epoch);
    this.#logs.set(key, known);
    return known;
  }

  deleteProject(project: string): void {
    for (const key of this.#logs.keys()) if (key.startsWith(`${project}/`)) this.#logs.delete(key);
  }
}
