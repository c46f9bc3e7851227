/** `.eserveless.yaml`: what a repository says about its functions. All that is wrong is told at once, each with its line. */

import type { Manifest, ManifestProblem } from "@genserverless/shared/functions/manifest.ts";
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { Problem } from "../problems.ts";
import { MANIFEST } from "./shape.ts";

export const MANIFEST_FILE = ".eserveless.yaml";
const MOST_CHARACTERS = 256 * 1_024;
const MOST_PROBLEMS = 50;

/** Throws `manifest_invalid` with `problems`, a ManifestProblem each. */
export function readManifest(text: string): Manifest {
  const lines = new LineCounter();
  if (text.length > MOST_CHARACTERS) refuse([{ line: 1, field: "", message: "the file is too large" }]);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const mistakes = [...document.errors, ...document.warnings];
  if (mistakes.length > 0) {
    refuse(mistakes.map(({ pos, message }) => ({ line: lines.linePos(pos[0]).line, field: "", message })));
  }
  const parsed = MANIFEST.safeParse(toValue(document));
  if (parsed.success) return parsed.data;
  refuse(parsed.error.issues.flatMap((issue) => describeIssue(issue, document, lines)));
}

function toValue(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    refuse([{ line: 1, field: "", message: (error as Error).message }]);
  }
}

function refuse(problems: ManifestProblem[]): never {
  const sorted = problems.toSorted((a, b) => a.line - b.line).slice(0, MOST_PROBLEMS);
  const words = sorted.map(({ line, field, message }) => `line ${line}: ${field}${field && " "}${message}`);
  throw new Problem("manifest_invalid", words.join("; "), { problems: sorted });
}

function describeIssue(issue: z.core.$ZodIssue, document: Document.Parsed, lines: LineCounter): ManifestProblem[] {
  const describe = (path: PropertyKey[], message: string) => ({
    line: findLine(document, path, lines),
    field: path
      .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
      .join("")
      .replace(/^\./, ""),
    message,
  });
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => describe([...issue.path, key], "is not known"));
  }
  const isMissing = document.getIn(issue.path) === undefined;
  return [describe(issue.path, isMissing && issue.path.length > 0 ? "is missing" : issue.message)];
}

/** The line of a field, or, where it is missing, of what should have it. */
function findLine(document: Document.Parsed, path: PropertyKey[], lines: LineCounter): number {
  for (let length = path.length; length > 0; length--) {
    const holder = document.getIn(path.slice(0, length - 1), true);
    const step = path[length - 1];
    const pair = isMap(holder) && holder.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
    const node = pair ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  const { contents } = document;
  return contents?.range ? lines.linePos(contents.range[0]).line : 1;
}
