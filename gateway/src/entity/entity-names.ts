/**
 * How entities are named as processes. A persistence id becomes the name of a module, an entity id a key: letters, digits,
 * `.`, `_` and `-` as they are, every other byte of the UTF-8 as `~XX`. So no two ids share a name, and a name says its id
 * – but for an id whose name would be too long: it is named by its hash, and its journal says the id.
 */

import { createHash } from "node:crypto";
import { type Pid, toPid } from "@genserverless/shared/process/pid.ts";

const LONGEST = 128;
const PLAIN = /^[A-Za-z0-9._-]{1,128}$/;
const EMPTY = "~";
/** No escaped id begins with it: hexadecimal digits follow a `~`. */
const HASHED = "~~";

export function nameOf(id: string): string {
  if (id === "") return EMPTY;
  if (id === "." || id === "..") return id.replaceAll(".", "~2E");
  if (PLAIN.test(id)) return id;
  const name = Array.from(Buffer.from(id), escapeByte).join("");
  if (name.length <= LONGEST) return name;
  return HASHED + createHash("sha256").update(id).digest("hex");
}

/** Undefined for the name of an id that was too long. */
export function idOf(name: string): string | undefined {
  if (name === EMPTY) return "";
  if (name.startsWith(HASHED)) return undefined;
  return Buffer.from(
    name.replace(/~(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  ).toString();
}

export function pidOf(module: string, entityId: string): Pid {
  return toPid(module, nameOf(entityId));
}

function escapeByte(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[A-Za-z0-9._-]/.test(character) ? character : `~${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}
