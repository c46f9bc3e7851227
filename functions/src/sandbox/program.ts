/** What a sandbox runs: Node with the runner, or what a Go project was built into. */

import type { SandboxOptions } from "./sandbox.ts";

export type Language = "node" | "go";

export function nameProgram(options: SandboxOptions): string[] {
  return options.runtime === "go" ? nameGo(options) : nameNode(options);
}

/** What a function may do is what Node lets it; the sandbox holds where Node does not. */
function nameNode({ made, memoryMb }: SandboxOptions): string[] {
  const { code, runtime, tmp, node } = made.paths;
  return [
    node,
    "--permission",
    `--allow-fs-read=${code}`,
    `--allow-fs-read=${runtime}`,
    `--allow-fs-read=${tmp}`,
    `--allow-fs-write=${tmp}`,
    "--disable-sigusr1",
    `--max-old-space-size=${memoryMb}`,
    "--v8-pool-size=1",
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
    `${runtime}/runner.cjs`,
  ];
}

/**
 * Its variables are there before its packages are initialised. They are set by the last program before it, for those
 * outside of the sandbox must not have what a manifest says in their environment.
 */
function nameGo({ made, memoryMb, order }: SandboxOptions): string[] {
  const { code } = made.paths;
  const variables = Object.entries(order.env).map(([name, value]) => `${name}=${value}`);
  return ["env", "-C", code, `GOMEMLIMIT=${memoryMb}MiB`, ...variables, `${code}/${order.entryName}`];
}
