/**
 * A sandbox that this node has for itself for a while: it is reached without the functions service between. The service decides how
 * long; it is told what became of each request, and it ends the sandbox where that has to be.
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { LeaseAnswer, LeaseNote, LeaseOutcome } from "@genserverless/shared/functions/lease-lines.ts";
import type { Client } from "undici";

export interface LeaseOptions {
  /** What the service is asked with; it stays open as long as the lease lasts. */
  asked: ClientRequest;
  answer: IncomingMessage;
  Client: typeof Client;
  /** Called once, when nothing new may begin with it. */
  onStopped(lease: Lease): void;
}

/** What becomes of requests is told together. */
const NOTES_EVERY_MS = 100;
/** A process whose connection broke is about to exit. */
const ENDS_WITHIN_MS = 2_000;
/** Like those of the service's own connections to its sandboxes. */
const FOREVER_MS = 3_600_000;
const MOST_HEAD_BYTES = 32 * 1024;

export class Lease {
  /** How long the function may take. */
  readonly timeoutMs: number;
  readonly client: Client;
  /** When it was last given back, in ms of `performance.now()`. */
  idleSince = performance.now();
  readonly #options: LeaseOptions;
  readonly #gone = Promise.withResolvers<{ reason: string; words: string } | undefined>();
  /** Resolves when the service has nothing more to say about it. */
  readonly over: Promise<void>;
  #notes: [LeaseOutcome, number][] = [];
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #isStopped = false;
  #isOver = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const { answer, asked, Client } = options;
    const { headers } = answer;
    this.timeoutMs = Number(headers["x-function-timeout-ms"]);
    const socketPath = decodeURIComponent(String(headers["x-function-socket"]));
    this.client = new Client("http://function", {
      socketPath,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: FOREVER_MS,
      keepAliveMaxTimeout: FOREVER_MS,
      maxHeaderSize: MOST_HEAD_BYTES,
    });
    asked.on("error", () => this.#leave(undefined));
    this.over = this.#follow();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  take(): void {
    this.#isBusy = true;
  }

  /** After a request, which may have been none: it may have the next. */
  giveBack(note?: [LeaseOutcome, number]): void {
    this.#isBusy = false;
    this.idleSince = performance.now();
    if (note) this.#notes.push(note);
    if (this.#isStopped) this.end("returned");
    else this.#timer ??= setTimeout(() => this.#tellNotes(), NOTES_EVERY_MS);
  }

  /** Begins nothing new, and gives the sandbox back when it is free. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#options.onStopped(this);
    if (this.#isBusy) this.#tell({ stopping: true });
    else this.end("returned");
  }

  /** The sandbox is to be ended, or is as good as before. */
  end(end: NonNullable<LeaseNote["end"]>, note?: [LeaseOutcome, number]): void {
    if (this.#isOver) return;
    if (note) this.#notes.push(note);
    this.#tell({ ...this.#takeNotes(), end });
    this.#leave(undefined);
  }

  /** Why the sandbox is gone, where the service says so soon. */
  async explainEnd(): Promise<{ reason: string; words: string } | undefined> {
    return Promise.race([this.#gone.promise, sleep(ENDS_WITHIN_MS, undefined, { ref: false })]);
  }

  async #follow(): Promise<void> {
    try {
      for await (const line of createInterface({ input: this.#options.answer })) {
        const { revoked, ended } = JSON.parse(line) as LeaseAnswer;
        if (revoked) this.stop();
        if (ended) this.#leave(ended);
      }
    } catch {
      // The service is gone, and its sandboxes with it.
    }
    this.#leave(undefined);
  }

  /** It is over: what is under way with it fails, or has been given up. */
  #leave(ended: { reason: string; words: string } | undefined): void {
    if (ended || this.#options.answer.closed) this.#gone.resolve(ended);
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#options.onStopped(this);
    }
    this.#options.asked.end();
    if (!this.#isBusy) this.client.destroy().catch(() => {});
  }

  #tellNotes(): void {
    this.#timer = undefined;
    this.#tell(this.#takeNotes());
  }

  #takeNotes(): LeaseNote {
    const notes = this.#notes;
    this.#notes = [];
    return notes.length > 0 ? { notes } : {};
  }

  #tell(note: LeaseNote): void {
    const { asked } = this.#options;
    if (asked.writable) asked.write(`${JSON.stringify(note)}\n`);
  }
}
