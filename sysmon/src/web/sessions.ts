/**
 * Sign-ins of browsers. A session is a signed text, `<scope>.<ends at>.<id>.<signature>`, kept by the browser in a cookie
 * that no script sees. It ends with its time, with a sign-out, and with this process, whose key signed it.
 */

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** `act` includes `read`. */
export type Scope = "read" | "act";

export interface Session {
  id: string;
  scope: Scope;
  endsAtMs: number;
}

export class Sessions {
  readonly lifeMs: number;
  readonly #now: () => number;
  readonly #key = randomBytes(32);
  /** Those that were signed out before their time, with that time. */
  readonly #ended = new Map<string, number>();

  constructor({ lifeMs = 12 * 60 * 60 * 1000, now = () => Date.now() } = {}) {
    this.lifeMs = lifeMs;
    this.#now = now;
  }

  begin(scope: Scope): string {
    const text = `${scope}.${this.#now() + this.lifeMs}.${randomBytes(12).toString("base64url")}`;
    return `${text}.${this.#sign(text)}`;
  }

  /** Undefined where it was not signed here, or has ended. */
  find(signed: string): Session | undefined {
    const [scope, endsAt, id, signature, ...rest] = signed.split(".");
    if (!id || !signature || rest.length > 0) return undefined;
    if (!isSame(signature, this.#sign(`${scope}.${endsAt}.${id}`))) return undefined;
    const session = { id, scope: scope as Scope, endsAtMs: Number(endsAt) };
    return this.isLasting(session) ? session : undefined;
  }

  isLasting({ id, endsAtMs }: Session): boolean {
    return endsAtMs > this.#now() && !this.#ended.has(id);
  }

  end({ id, endsAtMs }: Session): void {
    for (const [old, atMs] of this.#ended) if (atMs <= this.#now()) this.#ended.delete(old);
    this.#ended.set(id, endsAtMs);
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}

/** Compares in a time that does not tell where two texts differ. */
export function isSame(a: string, b: string): boolean {
  const digest = (text: string) => createHmac("sha256", "compare").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
