/** shell: a Node prompt with a client of the cluster. */

import type { Command } from "commander";
import { Refused } from "../failure.ts";
import { runShell } from "../shell/shell.ts";
import { addExamples, type Run } from "./command.ts";

export function addShell(program: Command, run: Run): void {
  const shell = program
    .command("shell")
    .description("A Node prompt with the typed client: await call(…), at(pid), client; .help tells more.")
    .action(
      run(async (session) => {
        const failures = await runShell(session);
        if (failures > 0) throw new Refused(`${failures} of the statements failed`);
      }),
    );
  addExamples(shell, "shell", `echo 'await call("accumulator/alice", "total")' | genserverless shell`);
}
