/** Go needs a toolchain on this machine. */

import { BuildFailure } from "./failure.ts";
import type { NodeBuildOptions } from "./node-build.ts";

export async function buildGo(_options: NodeBuildOptions): Promise<void> {
  throw new BuildFailure("no_toolchain", "this service has no Go toolchain: runtime must be node");
}
