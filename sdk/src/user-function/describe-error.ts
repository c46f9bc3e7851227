/** Anything may be thrown, also what has no text. */
export function describeError(error: unknown): string {
  try {
    return String(error);
  } catch {
    return "an error that has no text";
  }
}
