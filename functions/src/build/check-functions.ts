/** Whether what was built has every function that its manifest declares. */

import { NotStarted, Sandbox } from "../sandbox/sandbox.ts";
import type { BuildOptions } from "./build-options.ts";
import { BuildFailure } from "./failure.ts";

/** Loads the project once, as its functions will be loaded. */
export async function checkFunctions(
  { sandboxes, log, tree, uid, processes, manifest, signal }: BuildOptions,
  entryName: string,
): Promise<void> {
  const memoryMb = Math.max(...manifest.functions.map((spec) => spec.memoryMb));
  const folders = [sandboxes.runtime, { name: "code" as const, source: tree }];
  const made = await sandboxes.make({ uid, folders, memoryMb, cpuSeconds: 30, processes, tmpMb: 16 });
  const declared = manifest.functions.map(({ name }) => name);
  const printed: string[] = [];
  const sandbox = new Sandbox({
    made,
    runtime: manifest.runtime,
    memoryMb,
    order: { entryName, declared, env: {} },
    onOutput: (stream) => stream.on("data", (chunk: Buffer) => printed.length < 50 && printed.push(String(chunk))),
  });
  const cancel = () => sandbox.end("stopped");
  signal.addEventListener("abort", cancel);
  try {
    signal.throwIfAborted();
    log.append(`loading ${entryName} for ${declared.join(", ")}`);
    await sandbox.load();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NotStarted)) throw error;
    const said = printed.join("").trim().slice(-1_000);
    throw new BuildFailure(
      error.reason === "not_exported" ? "not_exported" : "not_loaded",
      `${error.message}${said && `; it said: ${said}`}`,
    );
  } finally {
    signal.removeEventListener("abort", cancel);
    sandbox.end("stopped");
    await sandbox.ended;
  }
}
