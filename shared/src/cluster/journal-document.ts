/** The journal of a process as part of its document. */

import type { Pid } from "../process/pid.ts";
import { ClusterError } from "../service/errors.ts";
import {
  JournalBroken,
  type JournalEntry,
  type Journals,
  NO_SNAPSHOT,
  readSnapshot,
  type StoredSnapshot,
  writeSnapshot,
} from "./journal.ts";

export interface JournalDocument {
  /** What the events before the first had come to, where there are some no more. */
  base?: SnapshotDocument | undefined;
  snapshot?: SnapshotDocument | undefined;
  /** In order, without a gap; those after `base`. */
  events: EventDocument[];
}

export interface SnapshotDocument {
  sequence: number;
  version: number;
  state: unknown;
}

export interface EventDocument {
  sequence: number;
  type: string;
  data: unknown;
  version: number;
  /** In ms since the epoch. */
  at: number;
  messageId: string;
}

const MOST_EVENTS = 100_000;
/** What a document has of an event beside its type, data and message. */
const EVENT_BYTES = 80;

/**
 * The events that a record counts. `mostBytes` is what they may have together; more, or more than 100,000 of them, is
 * `too_large_to_export`. Rejects with JournalBroken.
 */
export async function readJournalDocument(
  journals: Journals,
  pid: Pid,
  { recordText, last, baseText }: { recordText: string; last: number; baseText: string },
  mostBytes: number,
): Promise<JournalDocument> {
  const base = baseText === "" ? undefined : readSnapshot(baseText);
  const snapshot = readSnapshot(recordText);
  const from = (base?.sequence ?? 0) + 1;
  const refuse = (held: string) =>
    new ClusterError(
      "too_large_to_export",
      `the journal of ${pid} holds ${held}; ${MOST_EVENTS} events can be exported, and ${mostBytes} bytes beside its mailbox`,
    );
  if (last - from + 1 > MOST_EVENTS) throw refuse(`${last - from + 1} events`);
  const events: EventDocument[] = [];
  let bytes = Buffer.byteLength(recordText) + Buffer.byteLength(baseText);
  for await (const page of journals.pages(pid, from, last)) {
    for (const entry of page) {
      bytes += Buffer.byteLength(entry.dataText) + entry.type.length + entry.messageId.length + EVENT_BYTES;
      events.push(toEventDocument(pid, entry));
    }
    if (bytes > mostBytes) throw refuse(`more than ${bytes} bytes`);
  }
  return {
    ...(base && { base: toSnapshotDocument(pid, base) }),
    ...(snapshot && { snapshot: toSnapshotDocument(pid, snapshot) }),
    events,
  };
}

/** What import-1.lua takes: the record's text, and the last sequence, the earliest snapshot and the words of the events. */
export function toJournalArguments({ base, snapshot, events }: JournalDocument): {
  recordText: string;
  last: number;
  baseText: string;
  words: (string | number)[];
} {
  return {
    recordText: snapshot ? writeSnapshot(toSnapshot(snapshot)) : NO_SNAPSHOT,
    last: events.at(-1)?.sequence ?? base?.sequence ?? 0,
    baseText: base ? writeSnapshot(toSnapshot(base)) : "",
    words: events.flatMap(({ type, data, version, at, messageId }) => [
      type,
      JSON.stringify(data) ?? "null",
      version,
      at,
      messageId,
    ]),
  };
}

/** Why a journal cannot be imported, if it cannot. */
export function findJournalFault({ base, snapshot, events }: JournalDocument): string | undefined {
  const before = base?.sequence ?? 0;
  const last = before + events.length;
  const misplaced = events.findIndex(({ sequence }, index) => sequence !== before + index + 1);
  if (misplaced !== -1) return `event ${before + misplaced + 1} is not where it belongs`;
  if (base && !snapshot) return "it has a base and no snapshot";
  if (snapshot && (snapshot.sequence < before || snapshot.sequence > last)) {
    return `its snapshot is of event ${snapshot.sequence}, and its events are ${before + 1} to ${last}`;
  }
  return undefined;
}

function toEventDocument(pid: Pid, { dataText, ...event }: JournalEntry): EventDocument {
  return { ...event, data: parse(dataText, `event ${event.sequence} of ${pid}`) };
}

function toSnapshotDocument(pid: Pid, { sequence, version, stateText }: StoredSnapshot): SnapshotDocument {
  return { sequence, version, state: parse(stateText, `the snapshot of ${pid} at event ${sequence}`) };
}

function toSnapshot({ sequence, version, state }: SnapshotDocument): StoredSnapshot {
  return { sequence, version, stateText: JSON.stringify(state) ?? "null" };
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new JournalBroken(`${what} is torn: it is no JSON`);
  }
}
