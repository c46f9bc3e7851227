/** The path templates of google.api.http: `/cart/{user_id}/items/{item=shelf/*}:add`. */

import { DescriptorError } from "../descriptor/descriptor.ts";

export interface PathTemplate {
  /** The values of the fields that the path names, by the field's path; undefined where the path is another. */
  match(path: string): Map<string, string> | undefined;
  /** The paths of the fields that it names. */
  fields: readonly string[];
  /** Of two templates that match the one with more of these is meant. */
  literals: number;
}

const VARIABLE = /^\{([A-Za-z_][\w.]*)(?:=([^{}]+))?\}$/;

/** Throws DescriptorError. */
export function compileTemplate(template: string): PathTemplate {
  const [, path = "", verb = ""] = /^\/(.*?)(:[^/:{}]+)?$/.exec(template) ?? [];
  const fields: { field: string; isRest: boolean }[] = [];
  const segments = splitSegments(path);
  if (`/${segments.join("/")}${verb}` !== template) throw new DescriptorError(`${template} is no path template`);
  const sources = segments.map((segment) => {
    const [, field, pattern = "*"] = VARIABLE.exec(segment) ?? [];
    if (field === undefined) return toSource(segment, template);
    fields.push({ field, isRest: pattern !== "*" });
    return `(${pattern
      .split("/")
      .map((part) => toSource(part, template))
      .join("/")})`;
  });
  const regex = new RegExp(`^/${sources.join("/")}${escapeText(verb)}$`);
  const literals = segments.filter((segment) => !segment.startsWith("{") && !segment.includes("*")).length;
  return {
    literals,
    fields: fields.map(({ field }) => field),
    match(given) {
      const found = regex.exec(given);
      return found ? readFields(fields, found.slice(1)) : undefined;
    },
  };
}

function readFields(fields: readonly { field: string; isRest: boolean }[], values: readonly string[]) {
  try {
    return new Map(fields.map(({ field, isRest }, index) => [field, decode(values[index] ?? "", isRest)]));
  } catch {
    // A percent sign that escapes nothing.
    return undefined;
  }
}

/** What spans segments keeps its escaped slashes apart from those between them. */
function decode(value: string, isRest: boolean): string {
  if (!isRest) return decodeURIComponent(value);
  return value
    .split(/%2f/i)
    .map((part) => decodeURIComponent(part))
    .join("%2F");
}

/** A slash within braces is no end of a segment. */
function splitSegments(path: string): string[] {
  return path.match(/(?:\{[^{}]*\}|[^/{}])+/g) ?? [""];
}

function toSource(segment: string, template: string): string {
  if (segment === "*") return "[^/]+";
  if (segment === "**") return ".*";
  if (/[{}*]/.test(segment)) throw new DescriptorError(`${template} is no path template`);
  return escapeText(segment);
}

function escapeText(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
