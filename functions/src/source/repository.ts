/** Which repositories may be deployed, and what their projects are called. */

import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Problem } from "../problems.ts";

export interface Repository {
  /** What git is given. */
  url: string;
  /** USER-REPO. */
  project: string;
  /** The same for every spelling of one repository. */
  identity: string;
  isLocal: boolean;
}

export interface RepositoryRules {
  /** Names of hosts, in lower case. */
  hosts: readonly string[];
  /** Folders under which local repositories may lie; none forbids them. */
  folders: readonly string[];
}

export const PROJECT = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,79}$/;
export const COMMIT = /^[0-9a-f]{40}$/;
const LONGEST = 2_000;
const MOST_PARTS = 10;
const SCP_LIKE = /^(?:([\w.-]+)@)([\w.-]+):(?!\/\/)(.+)$/;

/** Throws `invalid_repository` and `repository_refused`. */
export async function readRepository(given: unknown, rules: RepositoryRules): Promise<Repository> {
  const isShort = typeof given === "string" && given.length <= LONGEST;
  const text = isShort ? given.trim().replace(/[\s/]+$/, "") : "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not come
  if (text === "" || /[\x00-\x20\x7f]/.test(text)) throw malformed("it is empty, too long, or has spaces");
  if (text.startsWith("/")) return readLocal(text, rules);
  const scp = SCP_LIKE.exec(text);
  if (scp) return readRemote(new URL(`ssh://${scp[1]}@${scp[2]}/${scp[3]}`), rules);
  const url = URL.parse(text);
  if (!url) throw malformed("it is neither a URL nor an absolute path");
  if (url.protocol === "file:") return readLocal(readFilePath(url), rules);
  return readRemote(url, rules);
}

function malformed(detail: string): Problem {
  return new Problem("invalid_repository", `repository field is not a valid git repository url: ${detail}`);
}

function readFilePath(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw malformed("it names no file of this machine");
  }
}

function readRemote(url: URL, { hosts }: RepositoryRules): Repository {
  const { protocol, username, password, search, hash } = url;
  const hostname = url.hostname.toLowerCase();
  const host = url.host.toLowerCase();
  if (protocol !== "https:" && protocol !== "ssh:") throw malformed("its scheme is none of https, ssh and file");
  if (password !== "" || (protocol === "https:" && username !== "")) throw malformed("it has a password in it");
  if (search !== "" || hash !== "") throw malformed("it has a query or a fragment");
  if (/^-/.test(username) || /^-/.test(hostname)) throw malformed("a name in it begins with a dash");
  if (!hosts.includes(hostname)) {
    throw new Problem(
      "repository_refused",
      `repositories come from ${hosts.join(", ") || "no host"}, not from ${hostname}`,
    );
  }
  const path = url.pathname.replaceAll(/^\/+|\/+$/g, "");
  const parts = path.replace(/\.git$/, "").split("/");
  if (parts.length < 2 || parts.length > MOST_PARTS || (hostname === "github.com" && parts.length !== 2)) {
    throw malformed("its path must be USER/REPO");
  }
  const user = username === "" ? "" : `${username}@`;
  return {
    url: `${protocol}//${user}${host}/${path}`,
    project: nameProject(parts),
    identity: `${host}/${parts.join("/")}`,
    isLocal: false,
  };
}

async function readLocal(path: string, { folders }: RepositoryRules): Promise<Repository> {
  const refused = new Problem("repository_refused", "repositories on this machine's disk are not allowed here");
  if (folders.length === 0) throw refused;
  const real = await realpath(path).catch(() => undefined);
  // The same answer as for a path that is there, so that it tells nothing about the disk.
  const allowed = folders.some((folder) => isWithin(folder, real ?? resolve(path)));
  if (!allowed) throw refused;
  if (real === undefined) throw new Problem("repository_not_found", `there is no folder ${path}`);
  const parts = real
    .replace(/\/\.git$/, "")
    .replace(/\.git$/, "")
    .split("/")
    .filter(Boolean)
    .slice(-2);
  return {
    url: real,
    project: nameProject(parts.map((part) => part.replaceAll(/[^\w.-]+/g, "-"))),
    identity: real,
    isLocal: true,
  };
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

function nameProject(parts: string[]): string {
  const name = parts.join("-");
  if (PROJECT.test(name)) return name;
  throw malformed("user and repository must be letters, digits, dots, dashes and underscores, 80 in all at the most");
}
