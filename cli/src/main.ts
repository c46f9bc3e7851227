/** genserverless: the command line. */

import { run } from "./run.ts";

// Whoever read the output may leave before its end, as `head` does.
process.stdout.on("error", () => process.exit());
process.exitCode = await run(process.argv.slice(2), process);
