/**
 * Which cron functions are about to be due, so that a sandbox of each is ready then: a hundred that are due at the same time
 * could not all start within the time that they may take. Those of `@every` begin at a time that is not known here.
 */

import type { FunctionSpec } from "@genserverless/shared/functions/manifest.ts";
import { findNext, readEvery } from "../manifest/schedule.ts";

interface Known {
  spec: FunctionSpec;
  nextAt: number;
  isTold: boolean;
}

/** What it takes to start a hundred sandboxes on two cores, and some to spare. */
const AHEAD_MS = 12_000;

export class Ahead {
  #known = new Map<string, Known>();

  /** Those that are due soon, each told once; `now` is in ms since the epoch. The keys are the functions' names, among all. */
  findDue(functions: ReadonlyMap<string, FunctionSpec>, now: number): { key: string; inMs: number }[] {
    const due: { key: string; inMs: number }[] = [];
    const known = new Map<string, Known>();
    for (const [key, spec] of functions) {
      if (spec.schedule === undefined || readEvery(spec.schedule) !== undefined) continue;
      const before = this.#known.get(key);
      const isSame = before?.spec === spec && before.nextAt > now;
      const one = isSame ? before : { spec, nextAt: findNext(spec, now) ?? Number.POSITIVE_INFINITY, isTold: false };
      known.set(key, one);
      if (one.isTold || one.nextAt - now > AHEAD_MS) continue;
      one.isTold = true;
      due.push({ key, inMs: one.nextAt - now });
    }
    this.#known = known;
    return due;
  }
}
