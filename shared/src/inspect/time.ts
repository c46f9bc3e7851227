/** A time as it is stored, in ms since the epoch, in the form in which it is shown. */
export function toIso(ms: string | null | undefined): string {
  return new Date(Number(ms ?? 0)).toISOString();
}
