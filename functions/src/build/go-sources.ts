/**
 * Makes a Go project a program. Its package – `functions`, `main`, whatever it is called – becomes `main`, for nobody could
 * import it from elsewhere if it were that already, and for functions need not be exported then. Beside it comes a main.go
 * of ours, and in a folder what that calls.
 */

import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { BuildFailure } from "./failure.ts";

export const MAIN_FILE = "eserveless_main.go";
const RUNTIME_FOLDER = "eserveless_runtime";
export const GO_RUNTIME = join(import.meta.dirname, "../runtime/go");
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const KEYWORDS = `break case chan const continue default defer else fallthrough for func go goto if import interface map package
  range return select struct switch type var`;
const TAKEN = new Set(["main", "init", "_", ...KEYWORDS.split(/\s+/)]);
/** Blanks and comments come before the clause; one of them at a time, so that a long file takes no longer than it is. */
const GAP = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const CLAUSE = /(package\s+)[\p{L}_][\p{L}\p{Nd}_]*/uy;

export interface GoSources {
  tree: string;
  functions: FunctionSpec[];
  /** What the project's module is called where it has no go.mod. */
  module: string;
  /** For example go1.19.8. */
  version: string;
}

/** Throws BuildFailure: `no_entry`, `not_exported`, `package_broken`. */
export async function prepareSources({ tree, functions, module, version }: GoSources): Promise<void> {
  const wrong = functions.map(({ name }) => name).filter((name) => !IDENTIFIER.test(name) || TAKEN.has(name));
  if (wrong.length > 0) {
    throw new BuildFailure("not_exported", `${wrong.join(", ")}: no function can be called so in Go`);
  }
  for (const name of [MAIN_FILE, RUNTIME_FOLDER]) await rm(join(tree, name), { recursive: true, force: true });
  const files = (await readdir(tree)).filter((name) => name.endsWith(".go") && !name.endsWith("_test.go"));
  if (files.length === 0) throw new BuildFailure("no_entry", "there is no .go file at the top of the repository");
  for (const file of files) await renamePackage(join(tree, file), file);
  await cp(GO_RUNTIME, join(tree, RUNTIME_FOLDER), { recursive: true });
  const path = (await readModule(tree)) ?? (await writeModule(tree, module, version));
  await writeFile(join(tree, MAIN_FILE), writeMain(path, functions), { flag: "wx" });
}

async function renamePackage(path: string, name: string): Promise<void> {
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new BuildFailure("package_broken", `${name}: ${error.message}`);
  });
  const renamed = toMain(text);
  if (renamed === undefined) throw new BuildFailure("package_broken", `${name}: it has no package clause`);
  // What it may be a link to stays as it is.
  await rm(path);
  await writeFile(path, renamed, { flag: "wx" });
}

/** Undefined where there is no package clause. */
export function toMain(text: string): string | undefined {
  let at = 0;
  for (GAP.lastIndex = 0; GAP.test(text); GAP.lastIndex = at) at = GAP.lastIndex;
  CLAUSE.lastIndex = at;
  const [clause = "", keyword] = CLAUSE.exec(text) ?? [];
  return keyword && `${text.slice(0, at)}${keyword}main${text.slice(at + clause.length)}`;
}

async function readModule(tree: string): Promise<string | undefined> {
  const text = await readFile(join(tree, "go.mod"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new BuildFailure("package_broken", `go.mod: ${error.message}`);
  });
  if (text === undefined) return undefined;
  const [, path] = /^[ \t]*module[ \t]+["`]?([A-Za-z0-9._~/-]+)["`]?[ \t\r]*(?:\/\/.*)?$/m.exec(text) ?? [];
  if (path === undefined) throw new BuildFailure("package_broken", "go.mod: it names no module");
  return path;
}

async function writeModule(tree: string, module: string, version: string): Promise<string> {
  const path = /^[A-Za-z0-9][A-Za-z0-9._~/-]*$/.test(module) ? module : "functions";
  const [, language = "1.18"] = /^go(\d+\.\d+)/.exec(version) ?? [];
  await writeFile(join(tree, "go.mod"), `module ${path}\n\ngo ${language}\n`, { flag: "wx" });
  return path;
}

function writeMain(module: string, functions: FunctionSpec[]): string {
  const lines = functions.map(({ name, type }) => `\t\t"${name}": {Type: "${type}", Function: ${name}},\n`);
  return `package main

import eserverlessRuntime "${module}/${RUNTIME_FOLDER}"

func main() {
\teserverlessRuntime.Serve(map[string]eserverlessRuntime.Typed{
${lines.join("")}\t})
}
`;
}
