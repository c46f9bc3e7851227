/** The JSON body of a request to this service itself. */

import type { IncomingMessage } from "node:http";
import { Problem } from "../problems.ts";

const MOST_BYTES = 1_048_576;
const MOST_WAIT_MS = 10_000;

/** An empty body is `{}`. Throws `invalid_json`, `body_too_large`. */
export async function readObject(req: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES) throw new Problem("body_too_large", `a body has at most ${MOST_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  const value = parse(Buffer.concat(chunks).toString());
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Problem("invalid_json", "the body must be a JSON object");
}

/** Throws `invalid_request` where it is no text. */
export function readText(object: Record<string, unknown>, name: string): string {
  const value = object[name];
  if (typeof value === "string") return value;
  throw new Problem("invalid_request", `${name} must be text`);
}

/** How long an answer may wait, in ms; 0 unless given. Throws `invalid_request`. */
export function readWaitMs(value: unknown): number {
  if (value === undefined) return 0;
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MOST_WAIT_MS) return Number(value);
  throw new Problem("invalid_request", `waitMs must be a whole number from 0 to ${MOST_WAIT_MS}`);
}

function parse(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch (error) {
    throw new Problem("invalid_json", (error as Error).message);
  }
}
