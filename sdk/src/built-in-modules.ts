/** The modules that every cluster has, whatever its folders hold; a file with a module of the same name takes its place. */

import type { ServerModule } from "./server-module.ts";
import supervisor from "./supervisor/supervisor.ts";

export const BUILT_IN_MODULES: readonly ServerModule[] = [supervisor as ServerModule];
