/**
 * The paged list of processes. It walks the index in the order partition, then pid, and holds under change: who lives
 * throughout is listed exactly once, whatever starts, stops or is held back between two pages. Filters are applied on the
 * way, so a page may be short, even empty, while `nextCursor` is there; one request looks at a bounded number of processes.
 */

import { parsePid } from "../process/pid.ts";
import type { Keys } from "../redis/keys.ts";
import type { ProcessReader, ProcessRecord, Range } from "./process-reader.ts";
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
const MOST_EXAMINED = 2_500;

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
    const place = parseCursor(cursor, this.#keys.partitions);
    const records: ProcessRecord[] = [];
    for (let examined = 0; place.partition < this.#keys.partitions; ) {
      if (records.length === limit || examined >= MOST_EXAMINED) {
        return { found: records, nextCursor: formatCursor(place) };
      }
      const range = { ...rangeAfter(place.after, module), examine: CHUNK, find: limit - records.length };
      const found = await this.#reader.readRange(place.partition, range, query);
      examined += found.examined;
      records.push(...found.records);
      if (found.last === "") place.partition += 1;
      place.after = found.last;
    }
    return { found: records, nextCursor: undefined };
  }
}

/** What of an index follows a pid, of all modules or of one. */
function rangeAfter(after: string, module: string | undefined): Pick<Range, "least" | "most"> {
  const least = after ? `(${after}` : module ? `[${module}/` : "-";
  // "0" follows "/", and no pid part holds a "/".
  const most = module ? `(${module}0` : "+";
  return { least, most };
}

function formatCursor({ partition, after }: Place): string {
  return Buffer.from(`${partition}:${after}`).toString("base64url");
}

function parseCursor(cursor: string | undefined, partitions: number): Place {
  if (cursor === undefined) return { partition: 0, after: "" };
  const match = /^(\d{1,5}):(.*)$/.exec(Buffer.from(cursor, "base64url").toString());
  const partition = Number(match?.[1]);
  const after = match?.[2] ?? "";
  if (!match || partition >= partitions || (after && !parsePid(after)))
    throw new CursorError("this cursor was not made by a list");
  return { partition, after };
}
