/** Holds still what would pass: while a test sends and looks, workers stand, and nothing is handled. */

import type { Child } from "../tools/child.ts";

/** Their sessions have to live for longer than `act` may take. What is sent to an idle process meanwhile is in hand. */
export async function whileStanding<T>(workers: readonly Child[], act: () => Promise<T>): Promise<T> {
  await Promise.all(workers.map((worker) => worker.pause()));
  try {
    return await act();
  } finally {
    for (const worker of workers) worker.resume();
  }
}
