import { z } from "zod";

/** A whole number in a query, which knows only text. */
export function wholeNumber(least: number, most: number) {
  const digits = z.string().regex(/^\d{1,9}$/, "must be a whole number");
  return digits.transform(Number).pipe(z.int().min(least).max(most));
}
