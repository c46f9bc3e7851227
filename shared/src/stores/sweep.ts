/**
 * The rule by which a sweep tells a state that is needed from one that is not. Pure: the store brings the candidates, the
 * cluster the records, and the store deletes what was past twice.
 *
 * A commit that makes revision 8 compares that the record's is 7. So a state of revision 8 is past when the record has
 * come to 8 and refers to another, or begins another life; before that somebody may be about to commit it, however long
 * he has been paused. Where there is no record at all the process has ended, or Redis has lost its data: only what `wipe`
 * has named goes, the rest waits for a person to bring the data back.
 */

import type { Pid } from "../process/pid.ts";
import { formatReference } from "./reference.ts";
import type { Candidate, Judge, Verdict } from "./store.ts";

/** What a record says: its fields `i`, `r` and `d`. */
export interface RecordView {
  incarnation: number;
  revision: number;
  text: string | undefined;
}

/** The records of processes as they are now, in order; undefined where there is none. */
export type ReadRecords = (pids: readonly Pid[]) => Promise<(RecordView | undefined)[]>;

export function judgeState(store: string, candidate: Candidate, record: RecordView | undefined): Verdict {
  if (!record) return candidate.hasEnded ? "past" : "unknown";
  if (record.text === formatReference(store, candidate)) return "current";
  const { incarnation, revision } = candidate;
  const hasMovedOn =
    incarnation === record.incarnation ? revision <= record.revision : incarnation < record.incarnation;
  return hasMovedOn ? "past" : "pending";
}

export function createJudge(store: string, readRecords: ReadRecords): Judge {
  return async (candidates) => {
    const pids = [...new Set(candidates.map(({ pid }) => pid))];
    const records = await readRecords(pids);
    const recordOf = new Map(pids.map((pid, index) => [pid, records[index]]));
    return candidates.map((candidate) => judgeState(store, candidate, recordOf.get(candidate.pid)));
  };
}
