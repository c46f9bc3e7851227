/** What an api and the functions service say to each other while the one has a sandbox of the other: lines of JSON. */

/** Of the api. */
export interface LeaseNote {
  /** What became of requests, and how long each took in ms. */
  notes?: [outcome: LeaseOutcome, ms: number][];
  /** It begins nothing new. */
  stopping?: true;
  /** It is done with the sandbox: as good as before, or to be ended. */
  end?: "returned" | "timeout" | "abandoned";
}

export type LeaseOutcome = "completed" | "failed" | "timeout" | "died";

/** Of the functions service. */
export interface LeaseAnswer {
  /** It wants the sandbox back. */
  revoked?: true;
  /** The sandbox is gone: why, and in words. */
  ended?: { reason: string; words: string };
}
