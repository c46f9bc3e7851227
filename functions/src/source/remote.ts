/** What a repository elsewhere has: which commit a branch or tag is at, and the commit itself. */

import { mkdir } from "node:fs/promises";
import { Problem } from "../problems.ts";
import type { Git, GitRun } from "./git.ts";
import { COMMIT } from "./repository.ts";

export interface ResolvedRef {
  /** A branch, a tag or a commit, short. */
  ref: string;
  /** What git fetches by. */
  wanted: string;
  /** What it is at; what is fetched a moment later may be newer. */
  commit: string;
}

/** As shells and prlimit end where the program is not there. */
const NOT_FOUND = 127;
const REF = /^[A-Za-z0-9_][\w./@+-]{0,199}$/;

/** Without a ref: the default branch. Throws `invalid_request`, `repository_not_found`, `repository_empty`, `ref_not_found`. */
export async function resolveRef(git: Git, url: string, ref: string | undefined): Promise<ResolvedRef> {
  if (ref !== undefined && (!REF.test(ref) || ref.includes(".."))) {
    throw new Problem("invalid_request", "ref must be the name of a branch or tag, or a whole commit");
  }
  if (ref !== undefined && COMMIT.test(ref)) return { ref, wanted: ref, commit: ref };
  const names = ref === undefined ? ["HEAD"] : [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/tags/${ref}^{}`];
  const run = await git.run(["ls-remote", "--symref", "--", url, ...names]);
  requireSuccess(run, url);
  const lines = run.stdout.split("\n").map((line) => line.split("\t"));
  const find = (name: string) => lines.find(([value = "", other]) => other === name && COMMIT.test(value))?.[0];
  if (ref === undefined) {
    const commit = find("HEAD");
    if (!commit) throw new Problem("repository_empty", `${url} has no commits on its default branch`);
    const branch = lines.find(([value, name]) => name === "HEAD" && value?.startsWith("ref: "))?.[0];
    return { ref: branch?.slice("ref: refs/heads/".length) ?? "HEAD", wanted: "HEAD", commit };
  }
  const [branch, tag] = [find(`refs/heads/${ref}`), find(`refs/tags/${ref}^{}`) ?? find(`refs/tags/${ref}`)];
  const commit = branch ?? tag;
  if (!commit) throw new Problem("ref_not_found", `${url} has no branch and no tag ${ref}`);
  return { ref, wanted: branch ? `refs/heads/${ref}` : `refs/tags/${ref}`, commit };
}

/** Fetches one commit into a new bare repository at `folder`. Gives back which commit came. */
export async function fetchCommit(git: Git, url: string, wanted: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  requireSuccess(await git.run(["init", "-q", "--bare", folder]), url);
  const options = ["--depth=1", "--no-tags", "--no-write-commit-graph", "--no-recurse-submodules", "-q"];
  const run = await git.run(["-C", folder, "fetch", ...options, "--", url, wanted]);
  if (/not our ref|couldn't find remote ref/.test(run.words))
    throw new Problem("ref_not_found", `${url} has no ${wanted}`);
  requireSuccess(run, url);
  const parsed = await git.run(["-C", folder, "rev-parse", "--verify", "FETCH_HEAD^{commit}"]);
  const commit = parsed.stdout.trim();
  if (!COMMIT.test(commit)) throw new Problem("ref_not_found", `${wanted} of ${url} is no commit`);
  return commit;
}

function requireSuccess({ code, ended, words }: GitRun, url: string): void {
  if (ended === "timeout") throw new Problem("repository_timeout", `${url} took too long`);
  if (code === 0 && ended === undefined) return;
  if (code === NOT_FOUND) throw new Problem("no_git", `there is no git on this machine to fetch ${url} with`);
  if (/File too large|signal 25|file size limit/i.test(words)) {
    throw new Problem("repository_too_large", `${url} is larger than repositories may be`);
  }
  throw new Problem("repository_not_found", `${url}: ${words || `git ended with ${code}`}`);
}
