/**
 * A JSON value → indented lines, as JSON.stringify would break them, but no more than `mostLines`, and no line longer than
 * `mostCharacters`. What is not shown is not visited: the outline of a value of many megabytes costs what it shows.
 */

import { toPrintable } from "@genserverless/shared/text/printable.ts";

export interface Outline {
  lines: string[];
  /** Whether something was left out. */
  isCut: boolean;
}

export function outlineJson(value: unknown, mostLines = 200, mostCharacters = 400): Outline {
  const lines: string[] = [];
  let isCut = false;
  for (const text of walk(value, "", "", "", mostCharacters)) {
    if (lines.length === mostLines) {
      isCut = true;
      break;
    }
    isCut ||= text.length > mostCharacters;
    lines.push(toPrintable(text.length > mostCharacters ? `${text.slice(0, mostCharacters)}…` : text));
  }
  return { lines, isCut };
}

function* walk(value: unknown, indent: string, label: string, comma: string, most: number): Generator<string> {
  const isList = Array.isArray(value);
  if (typeof value !== "object" || value === null) {
    yield indent + label + writeScalar(value, most) + comma;
    return;
  }
  let before: { key: string | undefined; value: unknown } | undefined;
  const [open, close] = isList ? "[]" : "{}";
  for (const entry of isList ? listEntries(value) : objectEntries(value as Record<string, unknown>)) {
    if (!before) yield `${indent}${label}${open}`;
    else yield* walk(before.value, `${indent}  `, labelOf(before.key, most), ",", most);
    before = entry;
  }
  if (!before) {
    yield `${indent}${label}${open}${close}${comma}`;
    return;
  }
  yield* walk(before.value, `${indent}  `, labelOf(before.key, most), "", most);
  yield `${indent}${close}${comma}`;
}

function* listEntries(list: readonly unknown[]) {
  for (const value of list) yield { key: undefined, value };
}

function* objectEntries(object: Record<string, unknown>) {
  for (const key in object) yield { key, value: object[key] };
}

function labelOf(key: string | undefined, most: number): string {
  return key === undefined ? "" : `${writeScalar(key, most)}: `;
}

/** A little more than is shown, so that it can be seen that there is more. */
function writeScalar(value: unknown, most: number): string {
  return JSON.stringify(typeof value === "string" ? value.slice(0, most + 1) : value) ?? "null";
}
