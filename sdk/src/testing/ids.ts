/** Ids and keys that look like the cluster's and are the same in each run: made of a seed and a count, or of a text. */

import { createHash } from "node:crypto";

export class Ids {
  readonly #seed: number;
  #count = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A new message id. */
  next(): string {
    this.#count += 1;
    return this.derive(String(this.#count));
  }

  /** The message id of a text: the same text, the same id. */
  derive(text: string): string {
    const hex = this.#hash(text);
    return `0-${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }

  /** The key of a text, 16 characters. */
  deriveKey(text: string): string {
    return this.#hash(`key ${text}`).slice(0, 16);
  }

  nextKey(): string {
    this.#count += 1;
    return this.deriveKey(String(this.#count));
  }

  #hash(text: string): string {
    return createHash("sha256").update(`${this.#seed} ${text}`).digest("hex");
  }
}
