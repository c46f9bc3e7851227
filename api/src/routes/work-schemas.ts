/** What goes over the wire about work. */

import { z } from "zod";

export const WorkRequest = z.object({ data: z.string() });
export const WorkAccepted = z.object({
  accepted_by: z.string(),
  callback: z.string(),
  data: z.string(),
  status: z.literal("accepted"),
});
export const WorkRefused = z.object({ error: z.string() });
export const WorkStatus = z.object({ status: z.enum(["pending", "working", "worked"]) });
export const WorkUnknown = z.object({ status: z.literal("404. not found!") });
