/** What a person types to filter processes → what the list takes. */

import type { ListQuery } from "@genserverless/shared/inspect/views.ts";
import { PROCESS_STATUSES, type ProcessStatus } from "@genserverless/shared/process/status.ts";

type ProcessFilter = Pick<ListQuery, "module" | "status" | "tag" | "owner">;

/** `module=stack status=idle owner=worker@vm-1 tag=blue`; a word alone is a status or a module. Throws with the reason. */
export function parseFilter(text: string): ProcessFilter {
  const filter: ProcessFilter = {};
  for (const word of text.split(/\s+/).filter(Boolean)) Object.assign(filter, parseWord(word));
  return filter;
}

function parseWord(word: string): ProcessFilter {
  const [, name, value = ""] = /^(\w+)=(.*)$/.exec(word) ?? [];
  if (name === undefined) return isStatus(word) ? { status: word } : { module: word };
  if (!value) throw new Error(`${name}= what?`);
  if (name === "status") {
    if (!isStatus(value)) throw new Error(`a status is ${PROCESS_STATUSES.join(", ")}`);
    return { status: value };
  }
  if (name === "module" || name === "tag" || name === "owner") return { [name]: value };
  throw new Error(`a filter is of module, status, owner and tag, not of ${name}`);
}

function isStatus(text: string): text is ProcessStatus {
  return (PROCESS_STATUSES as readonly string[]).includes(text);
}
