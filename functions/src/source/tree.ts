/**
 * The files of a fetched commit, written to a folder. How many and how large they are is known before one is written, and
 * no symbolic link leads out. Submodules are fetched where the rules allow their repositories.
 */

import { mkdir, realpath } from "node:fs/promises";
import { join, posix } from "node:path";
import { Problem } from "../problems.ts";
import type { Git } from "./git.ts";
import { fetchCommit } from "./remote.ts";
import { type Repository, type RepositoryRules, readRepository } from "./repository.ts";

export interface TreeLimits {
  mostFiles: number;
  mostBytes: number;
}

export interface Writing {
  git: Git;
  rules: RepositoryRules;
  limits: TreeLimits;
  /** A folder of its own, for what is fetched. */
  scratch: string;
}

interface Fetched {
  repository: Repository;
  /** A bare repository. */
  store: string;
  commit: string;
  /** Where its files go. */
  folder: string;
}

interface Entry {
  mode: string;
  object: string;
  bytes: number;
  path: string;
}

const SYMLINK = "120000";
const SUBMODULE = "160000";
const MOST_SUBMODULES = 20;
const MOST_LISTING_BYTES = 64 * 1_024 * 1_024;

/** Throws `repository_too_large`, `symlink_refused`, `submodule_refused`. */
export async function writeTree(writing: Writing, fetched: Fetched): Promise<void> {
  const left = { files: writing.limits.mostFiles, bytes: writing.limits.mostBytes, submodules: MOST_SUBMODULES };
  const root = fetched.folder;
  const pending = [fetched];
  for (let next = pending.shift(); next; next = pending.shift()) {
    const entries = await listEntries(writing.git, next);
    const submodules = entries.filter(({ mode }) => mode === SUBMODULE);
    left.files -= entries.length;
    left.bytes -= entries.reduce((sum, { bytes }) => sum + bytes, 0);
    left.submodules -= submodules.length;
    if (left.files < 0 || left.bytes < 0) throw tooLarge(writing.limits);
    if (left.submodules < 0)
      throw new Problem("submodule_refused", `there are more than ${MOST_SUBMODULES} submodules`);
    await writeFiles(writing.git, next);
    await checkLinks(root, next.folder, entries);
    pending.push(...(await fetchSubmodules(writing, next, submodules)));
  }
}

function tooLarge({ mostFiles, mostBytes }: TreeLimits): Problem {
  const megabytes = Math.floor(mostBytes / 1_048_576);
  return new Problem("repository_too_large", `it has more than ${mostFiles} files or ${megabytes} MB`);
}

async function listEntries(git: Git, { store, commit }: Fetched): Promise<Entry[]> {
  const listing = ["-C", store, "ls-tree", "-r", "-l", "-z", "--full-tree", commit];
  const run = await git.run(listing, { mostBytes: MOST_LISTING_BYTES });
  if (run.code !== 0) throw new Problem("repository_too_large", `its files cannot be listed: ${run.words}`);
  return run.stdout
    .split("\0")
    .filter(Boolean)
    .map((line) => {
      const [head = "", path = ""] = line.split("\t", 2);
      const [mode = "", , object = "", bytes = ""] = head.split(/ +/);
      return { mode, object, bytes: Number(bytes) || 0, path };
    });
}

async function writeFiles(git: Git, { store, commit, folder }: Fetched): Promise<void> {
  await mkdir(folder, { recursive: true });
  const at = [`--git-dir=${store}`, `--work-tree=${folder}`, "-c", "core.bare=false"];
  const indexed = await git.run([...at, "read-tree", commit], { cwd: folder });
  const written =
    indexed.code === 0 ? await git.run([...at, "checkout-index", "-a", "-f", "-q"], { cwd: folder }) : indexed;
  if (written.code !== 0) throw new Problem("repository_too_large", `its files cannot be written: ${written.words}`);
}

/** What a link leads to in the end must lie in the repository, however many links it takes to get there. */
async function checkLinks(root: string, folder: string, entries: Entry[]): Promise<void> {
  const inside = `${await realpath(root)}/`;
  for (const { mode, path } of entries) {
    if (mode !== SYMLINK) continue;
    const target = await realpath(join(folder, path)).catch(() => undefined);
    if (target === undefined) throw new Problem("symlink_refused", `${path} leads to nothing in the repository`);
    if (!`${target}/`.startsWith(inside)) throw new Problem("symlink_refused", `${path} leads out of the repository`);
  }
}

async function fetchSubmodules(writing: Writing, parent: Fetched, entries: Entry[]): Promise<Fetched[]> {
  if (entries.length === 0) return [];
  const urls = await readSubmoduleUrls(writing.git, parent);
  const fetched: Fetched[] = [];
  for (const { path, object } of entries) {
    const url = urls.get(path);
    if (url === undefined) throw new Problem("submodule_refused", `.gitmodules does not name the submodule ${path}`);
    fetched.push(await fetchSubmodule(writing, parent, { url, path, object }));
  }
  return fetched;
}

async function fetchSubmodule(
  { git, rules, scratch }: Writing,
  parent: Fetched,
  { url, path, object }: { url: string; path: string; object: string },
): Promise<Fetched> {
  try {
    // A repository from elsewhere has no business on this machine's disk.
    const allowed = parent.repository.isLocal ? rules : { ...rules, folders: [] };
    const repository = await readRepository(resolveUrl(parent.repository, url), allowed);
    const store = join(scratch, `submodule-${crypto.randomUUID()}`);
    const commit = await fetchCommit(git, repository.url, object, store);
    return { repository, store, commit, folder: join(parent.folder, path) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new Problem("submodule_refused", `the submodule ${path}: ${error.message}`);
  }
}

/** path → URL, of a commit's .gitmodules. */
async function readSubmoduleUrls(git: Git, { store, commit }: Fetched): Promise<Map<string, string>> {
  const run = await git.run(["-C", store, "config", "--blob", `${commit}:.gitmodules`, "--list", "-z"]);
  const settings = new Map(run.stdout.split("\0").map((line) => line.split("\n", 2) as [string, string]));
  const names = [...settings.keys()].filter((key) => key.startsWith("submodule.") && key.endsWith(".path"));
  return new Map(names.map((key) => [settings.get(key) ?? "", settings.get(key.replace(/path$/, "url")) ?? ""]));
}

/** A URL such as ../other is meant from the repository that names it. */
function resolveUrl({ url }: Repository, given: string): string {
  if (!/^\.\.?\//.test(given)) return given;
  if (url.startsWith("/")) return posix.join(url, given);
  const base = new URL(url);
  base.pathname = posix.join(base.pathname, given);
  return base.href;
}
