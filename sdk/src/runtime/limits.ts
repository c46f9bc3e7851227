/** The bounds that callbacks meet, the same in the cluster and in the test kit. */

/** 366 days, in ms. */
export const LONGEST_DELAY_MS = 366 * 24 * 60 * 60 * 1000;
export const MOST_STATE_BYTES = 8 * 1024 * 1024;
/** What one turn can emit, of `MOST_STATE_BYTES` in all. */
export const MOST_EVENTS = 10_000;
export const MOST_MESSAGE_BYTES = 1024 * 1024;
/** How many timers, monitors, links and groups one process can have. */
export const MOST_TIES = 100_000;
export const MOST_TAGS = 16;
export const LONGEST_TAG = 64;
export const LONGEST_REASON = 256;

const PID_PART = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/;

export function isPidPart(value: unknown): value is string {
  return typeof value === "string" && PID_PART.test(value);
}

/** Whole ms from 0 to a year. */
export function isDelay(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LONGEST_DELAY_MS;
}
