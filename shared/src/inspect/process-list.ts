/**
 * The paged list of processes. It walks the index in the order partition, then pid, and holds under change: who lives
 * throughout is listed exactly once, whatever starts, stops or is held back between two pages. Filters are applied on the
 * way, so a page may be short, even empty, while `nextCursor` is there; one request looks at a bounded number of processes.
 */

import { isPidPart, splitPid } from "../process/pid.ts";
import type { Keys } from "../redis/keys.ts";
import { type Listed, matches, type ProcessReader, type ProcessRecord } from "./process-reader.ts";
import type { ListQuery, ProcessPage } from "./views.ts";

/** The cursor was not made by `listProcesses`. */
export class CursorError extends Error {
  override name = "CursorError";
}

interface Place {
  partition: number;
  /** The last pid that was looked at there, or "". */
  after: string;
}

/** As many as one script reads. */
const CHUNK = 250;
const MOST_EXAMINED = 5_000;

export class ProcessList {
  readonly #keys: Keys;
  readonly #reader: ProcessReader;

  constructor(keys: Keys, reader: ProcessReader) {
    this.#keys = keys;
    this.#reader = reader;
  }

  /** One page, mailboxes included. */
  async read(query: ListQuery): Promise<ProcessPage> {
    const { found, nextCursor } = await this.find(query);
    const processes = await Promise.all(found.map((record) => this.#reader.complete(record)));
    return { processes, ...(nextCursor !== undefined && { nextCursor }) };
  }

  /** One page of records. */
  async find(query: ListQuery): Promise<{ found: ProcessRecord[]; nextCursor: string | undefined }> {
    const { module, limit, cursor } = query;
    const isFiltered = (query.status ?? query.tag ?? query.owner) !== undefined;
    const place = parseCursor(cursor, this.#keys.partitions);
    const found: ProcessRecord[] = [];
    for (let examined = 0; place.partition < this.#keys.partitions; ) {
      if (found.length === limit || examined >= MOST_EXAMINED) return { found, nextCursor: formatCursor(place) };
      const asked = isFiltered ? CHUNK : Math.min(CHUNK, limit - found.length);
      const listed = await this.#readIndex(place, module, asked);
      let index = 0;
      for (; index < listed.length && found.length < limit; index++) {
        const record = listed[index]?.record;
        if (record && matches(record, query)) found.push(record);
      }
      examined += index;
      if (index === listed.length && listed.length < asked)
        Object.assign(place, { partition: place.partition + 1, after: "" });
      else place.after = listed[index - 1]?.pid ?? "";
    }
    return { found, nextCursor: undefined };
  }

  #readIndex({ partition, after }: Place, module: string | undefined, count: number): Promise<Listed[]> {
    const least = after ? `(${after}` : module ? `[${module}/` : "-";
    // "0" follows "/", and no pid part holds a "/".
    const most = module ? `(${module}0` : "+";
    return this.#reader.readRange(partition, least, most, count);
  }
}

function formatCursor({ partition, after }: Place): string {
  return Buffer.from(`${partition}:${after}`).toString("base64url");
}

function parseCursor(cursor: string | undefined, partitions: number): Place {
  if (cursor === undefined) return { partition: 0, after: "" };
  const match = /^(\d{1,5}):(.*)$/.exec(Buffer.from(cursor, "base64url").toString());
  const partition = Number(match?.[1]);
  const after = match?.[2] ?? "";
  if (!match || partition >= partitions || (after && !isPid(after)))
    throw new CursorError("this cursor was not made by a list");
  return { partition, after };
}

function isPid(text: string): boolean {
  const { module, key } = splitPid(text);
  return isPidPart(module) && isPidPart(key);
}
