/**
 * Who knows the shared secret: HMAC-SHA256 over what is sent. A request's signature covers its method, path with query, time,
 * nonce and body, an answer's the nonce of its request, its status and its body; so no answer can be taken for another's.
 * A request counts for `WINDOW_MS` around its time, and once: the nonces of that time are remembered, those of requests
 * that are rightly signed only, so that a stranger cannot fill the memory.
 */

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { HEADERS } from "./wire.ts";

export const WINDOW_MS = 60_000;
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;

export interface SignedParts {
  method: string;
  /** The path, with the query where there is one. */
  target: string;
  body: string | Buffer;
}

export type SignatureFault = "signature_missing" | "signature_wrong" | "signature_old" | "signature_replayed";

/** The headers of a request; a new nonce each time. */
export function signRequest(secret: string, parts: SignedParts, now = Date.now()): Record<string, string> {
  const timestamp = String(now);
  const nonce = randomBytes(16).toString("base64url");
  return {
    [HEADERS.timestamp]: timestamp,
    [HEADERS.nonce]: nonce,
    [HEADERS.signature]: requestSignature(secret, parts, timestamp, nonce),
  };
}

/** The signature of the answer to the request with this nonce. */
export function signAnswer(secret: string, nonce: string, status: number, body: string | Buffer): string {
  return sign(secret, ["genserverless answer v1", nonce, String(status), digest(body)]);
}

export function isAnswerSigned(
  secret: string,
  nonce: string,
  status: number,
  body: string | Buffer,
  signature: string | undefined,
): boolean {
  return signature !== undefined && areEqual(signAnswer(secret, nonce, status, body), signature);
}

/** Compares two texts in a time that does not tell how much of them is alike. */
export function areEqual(one: string, other: string): boolean {
  return timingSafeEqual(createHash("sha256").update(one).digest(), createHash("sha256").update(other).digest());
}

/** Says of each request what is wrong with its signature. */
export class RequestCheck {
  readonly #secret: string;
  readonly #now: () => number;
  /** By the minute of their time. */
  readonly #nonces = new Map<number, Set<string>>();

  constructor(secret: string, now = Date.now) {
    this.#secret = secret;
    this.#now = now;
  }

  /** Undefined where the request is rightly signed, and new. */
  findFault(parts: SignedParts, header: (name: string) => string | undefined): SignatureFault | undefined {
    const timestamp = header(HEADERS.timestamp);
    const nonce = header(HEADERS.nonce);
    const signature = header(HEADERS.signature);
    if (!timestamp || !nonce || !signature) return "signature_missing";
    if (!/^\d{1,16}$/.test(timestamp) || !NONCE.test(nonce)) return "signature_wrong";
    if (!areEqual(requestSignature(this.#secret, parts, timestamp, nonce), signature)) return "signature_wrong";
    const sentAt = Number(timestamp);
    if (Math.abs(this.#now() - sentAt) > WINDOW_MS) return "signature_old";
    return this.#isNew(nonce, sentAt) ? undefined : "signature_replayed";
  }

  #isNew(nonce: string, sentAt: number): boolean {
    const minute = Math.floor(sentAt / WINDOW_MS);
    const oldest = Math.floor((this.#now() - WINDOW_MS) / WINDOW_MS);
    for (const past of this.#nonces.keys()) if (past < oldest) this.#nonces.delete(past);
    const known = this.#nonces.get(minute) ?? new Set();
    this.#nonces.set(minute, known);
    return known.size < known.add(nonce).size;
  }
}

function requestSignature(secret: string, { method, target, body }: SignedParts, time: string, nonce: string): string {
  return sign(secret, ["genserverless request v1", method.toUpperCase(), target, time, nonce, digest(body)]);
}

function sign(secret: string, lines: readonly string[]): string {
  return `v1=${createHmac("sha256", secret).update(lines.join("\n")).digest("hex")}`;
}

function digest(body: string | Buffer): string {
  return createHash("sha256").update(body).digest("hex");
}
