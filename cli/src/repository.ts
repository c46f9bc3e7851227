/** A repository as a person names it → as the cluster is asked for it. */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { Refused } from "./failure.ts";

const USER_REPO = /^[A-Za-z0-9][\w-]*\/[\w.-]+$/;
const PATH = /^(?:\.{1,2}$|\.{0,2}\/)/;
const URL_LIKE = /^(?:[a-z][a-z+.-]*:\/\/\S+|[\w.-]+@[\w.-]+:\S+)$/i;

/**
 * `user/repo` is one of github.com also where a folder here has that name: a folder begins with a dot or a slash. URLs, also
 * `git@host:user/repo`, are left as they are. Throws Refused with the words of the original.
 */
export function readRepository(given: string | undefined): string {
  const text = (given ?? "").trim();
  if (PATH.test(text)) return resolve(text);
  const name = text.replace(/\/+$/, "");
  if (URL_LIKE.test(name)) return name;
  if (USER_REPO.test(name)) return `https://github.com/${name}`;
  throw new Refused(`Please specify the github repo: user/repo${hintOf(name)}`);
}

/** Whether it can be nothing else than what deploy takes. */
export function isRepository(text: string): boolean {
  return PATH.test(text) || URL_LIKE.test(text) || USER_REPO.test(text);
}

/** Said where a folder could be meant. */
export function tellFolder(given: string | undefined): string | undefined {
  if (given === undefined || !USER_REPO.test(given) || !existsSync(given)) return undefined;
  return `${given} is taken for a repository of github.com; the folder is ./${given}`;
}

function hintOf(name: string): string {
  return name !== "" && existsSync(name) ? `, or ./${name} for the folder` : "";
}
