/**
 * Which file of the modules' folders imports which, and how often each has changed.
 *
 * Node keeps what it has imported under its URL for as long as it lives. So a file that has changed is imported under another
 * one, `a.ts?changed=1`, and so is whatever imports it, for otherwise it would go on with the file as it was: a hook in
 * Node's resolution writes the number behind every URL inside the folders, and takes down who imports whom. A file is looked
 * at just before it is read, so that a change in between is not missed. There is one graph, as there is one module cache.
 *
 * What has been imported stays in memory: each change costs as much as its module is large. What is not inside the folders,
 * or in a `node_modules` below them, is imported once; so is CommonJS.
 */

import { type Stats, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

interface File {
  /** How often it was to be imported anew. */
  changes: number;
  /** What it was when it was last looked at. */
  print: string;
  readonly importers: Set<string>;
}

const MISSING = "missing";
const roots = new Set<string>();
const files = new Map<string, File>();
let isHooked = false;

/** Follows every file below a folder; `root` is the URL of its real path and ends with a slash. */
export function followImports(root: string): void {
  roots.add(root);
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const parent = context.parentURL && fileOf(context.parentURL);
      const importer = parent && isFollowed(parent) ? parent : undefined;
      try {
        const resolved = nextResolve(specifier, context);
        const url = fileOf(resolved.url);
        return isFollowed(url) ? { ...resolved, url: addVersion(resolved.url, follow(url, importer)) } : resolved;
      } catch (error) {
        if (importer && /^\.{0,2}\//.test(specifier)) awaitFile(new URL(specifier, importer).href, importer);
        throw error;
      }
    },
  });
}

/** Those of the followed files below the root that are no longer what they were, with what they are now. */
export async function findChanged(root: string): Promise<[url: string, print: string][]> {
  const changed: [string, string][] = [];
  for (const [url, { print }] of [...files].filter(([url]) => url.startsWith(root))) {
    // Not synchronous as below: a network mount may hang.
    const now = printOf(await stat(fileURLToPath(url)).catch(() => undefined));
    if (now !== print) changed.push([url, now]);
  }
  return changed;
}

/** Has the files, and whatever imports them, imported anew next time. Returns them all. */
export function noteChanges(changed: Iterable<readonly [url: string, print: string]>): Set<string> {
  const affected = new Set<string>();
  const visit = (url: string): void => {
    const file = files.get(url);
    if (!file || affected.has(url)) return;
    affected.add(url);
    file.changes++;
    for (const importer of file.importers) visit(importer);
  };
  for (const [url, print] of changed) {
    visit(url);
    const file = files.get(url);
    if (file) file.print = print;
  }
  return affected;
}

/** The URL under which the file as it is now is imported. */
export function currentUrl(url: string): string {
  return addVersion(url, files.get(url)?.changes ?? 0);
}

function follow(url: string, importer: string | undefined): number {
  const file = files.get(url) ?? { changes: 0, print: MISSING, importers: new Set<string>() };
  file.print = printOf(statSync(fileURLToPath(url), { throwIfNoEntry: false }));
  if (importer) file.importers.add(importer);
  files.set(url, file);
  return file.changes;
}

/** What an importer did not find may come. */
function awaitFile(url: string, importer: string): void {
  const plain = fileOf(url);
  if (isFollowed(plain)) follow(plain, importer);
}

function isFollowed(url: string): boolean {
  if (!url.startsWith("file:") || url.includes("/node_modules/")) return false;
  for (const root of roots) if (url.startsWith(root)) return true;
  return false;
}

function fileOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

function addVersion(url: string, changes: number): string {
  if (changes === 0 || /[?&]changed=/.test(url)) return url;
  return `${url}${url.includes("?") ? "&" : "?"}changed=${changes}`;
}

function printOf(stats: Stats | undefined): string {
  return stats ? `${stats.mtimeMs}:${stats.size}` : MISSING;
}
