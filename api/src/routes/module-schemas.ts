/** What goes over the wire about modules. */

import { z } from "zod";

const count = z.int().min(0);

export const Modules = z.object({ modules: z.array(z.object({ name: z.string(), version: count })) });

/** There is nothing but a dry run: a state is migrated when its process is next activated. */
export const MigrationQuery = z.strictObject({ dryRun: z.enum(["", "true"]).default("true") });
export const Migration = z.object({
  module: z.string(),
  version: count,
  examined: count,
  current: count,
  migratable: count,
  whole: count,
  failed: count,
  failures: z.array(z.object({ pid: z.string(), fromVersion: count, event: count.exactOptional(), error: z.string() })),
});
