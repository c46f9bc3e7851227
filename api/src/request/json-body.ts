/**
 * Reads a JSON body. Express's own parser does the same and more (compression, charsets, content negotiation) at several
 * times the price, on the path that every call takes.
 */

import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { ClusterError } from "@genserverless/shared/service/errors.ts";

const MAX_BODY_BYTES = 1024 * 1024;
/** Deeper values parse, but writing them out again overflows the stack of `JSON.stringify`, here or in a worker. */
const MAX_DEPTH = 500;

const MEDIA_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

export interface BodyRules {
  /** A request without a body counts as `{}`. */
  isBodyOptional?: true;
  mostBodyBytes?: number;
}

export async function readJsonBody(
  req: IncomingMessage,
  { isBodyOptional, mostBodyBytes = MAX_BODY_BYTES }: BodyRules = {},
): Promise<unknown> {
  if (isBodyOptional && !hasBody(req)) return {};
  refuseOtherMedia(req);
  const bytes = await readBytes(req, mostBodyBytes);
  if (!isUtf8(bytes)) throw new ClusterError("invalid_json", "the body is not UTF-8");
  if (isDeeperThan(bytes, MAX_DEPTH)) {
    throw new ClusterError("invalid_request", `the body is nested more than ${MAX_DEPTH} deep`);
  }
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw new ClusterError("invalid_json", bytes.length === 0 ? "the body is empty" : (error as SyntaxError).message);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function refuseOtherMedia(req: IncomingMessage): void {
  const type = req.headers["content-type"];
  if (type !== "application/json" && !MEDIA_TYPE.test(type ?? "")) {
    throw new ClusterError("unsupported_media_type", "send Content-Type: application/json, in UTF-8");
  }
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new ClusterError("unsupported_media_type", "send the body without a Content-Encoding");
  }
}

/** What is left unread of a body that is too large is read and thrown away by Node once the answer is out. */
export function readBytes(req: IncomingMessage, most = MAX_BODY_BYTES): Promise<Buffer> {
  const tooLarge = () => new ClusterError("body_too_large", `the limit is ${most} bytes`);
  if (Number(req.headers["content-length"]) > most) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    req.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= most) chunks.push(chunk);
      else reject(tooLarge());
    });
    req.on("end", () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
    req.on("error", () => reject(new ClusterError("invalid_request", "the body ended early")));
  });
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isDeeperThan(bytes: Buffer, limit: number): boolean {
  if (bytes.length <= limit) return false;
  let depth = 0;
  let inText = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (byte === QUOTE) inText = !inText;
    else if (inText) index += byte === BACKSLASH ? 1 : 0;
    else if (byte === 0x5b || byte === 0x7b) depth++;
    else if (byte === 0x5d || byte === 0x7d) depth--;
    if (depth > limit) return true;
  }
  return false;
}
