/** Keys for processes that were started without one: 16 upper-case letters and digits. */

import { createHash, randomInt } from "node:crypto";

const CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LENGTH = 16;

export function randomKey(): string {
  return Array.from({ length: LENGTH }, () => CHARACTERS[randomInt(CHARACTERS.length)]).join("");
}

/** The same key for the same Idempotency-Key, so that a repeated start starts the same process. */
export function deriveKey(module: string, idempotencyKey: string): string {
  const bytes = createHash("sha256")
    .update(JSON.stringify([module, idempotencyKey]))
    .digest();
  return Array.from(bytes.subarray(0, LENGTH), (byte) => CHARACTERS[byte % CHARACTERS.length]).join("");
}
