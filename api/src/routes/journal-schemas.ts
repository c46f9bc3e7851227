/** What goes over the wire about journals. */

import { z } from "zod";
import { wholeNumber } from "./whole-number.ts";

const count = z.int().min(0);
const moment = z.iso.datetime();
const MOST = 999_999_999;

export const ReadJournalQuery = z.strictObject({
  from: wholeNumber(1, MOST).exactOptional(),
  limit: wholeNumber(1, 1000).default(100),
});
export const FollowJournalQuery = z.strictObject({ from: wholeNumber(1, MOST).exactOptional() });
export const ReadJournalStateQuery = z.strictObject({
  /** A sequence, or a time. */
  at: z.union([wholeNumber(0, MOST), z.iso.datetime({ offset: true })]).exactOptional(),
});

export const JournalEvent = z.object({
  sequence: count,
  type: z.string(),
  data: z.unknown(),
  version: count,
  at: moment,
  messageId: z.string(),
});
export const JournalPage = z.object({
  pid: z.string(),
  first: count,
  last: count,
  events: z.array(JournalEvent),
  next: count.exactOptional(),
});
export const JournalState = z.object({
  pid: z.string(),
  sequence: count,
  at: moment.nullable(),
  state: z.unknown(),
});
