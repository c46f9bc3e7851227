/** What an operator does with dead letters: try them again, or drop them for good. One, or all that a process has. */

import type { Pid } from "../process/pid.ts";
import { moduleOf } from "../redis/keys.ts";
import { readRedisTime } from "../redis/time.ts";
import { ClusterError } from "../service/errors.ts";
import { noProcess } from "./control.ts";
import { DEFAULT_MAILBOX, type MailboxBounds } from "./mailbox-bounds.ts";
import { Sender, type SenderOptions } from "./sender.ts";

export interface DeadLettersOptions extends SenderOptions {
  /** Undefined for a module that is not known here. */
  rulesOf: (module: string) => { mailbox: MailboxBounds } | undefined;
}

type Retried = [verdict: "ok" | "no_process" | "unknown" | "start" | "mailbox_full", count: number, isMore: number];
type Dropped = [count: number, isMore: number];

const BATCH = 200;
/** A process has up to 1,000 for each life, and lives of seven days. */
const MOST_BATCHES = 1_000;

export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #sender: Sender;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
    this.#sender = new Sender(options);
  }

  /** Puts one back at the end of the mailbox, under its id. Again, while it waits, changes nothing. */
  async retry(pid: Pid, id: string): Promise<void> {
    const [verdict, , , wasRepeated] = await this.#retry(pid, id, "+inf");
    // The attempt whose answer was lost has put it back, and it may have been handled since.
    if (verdict === "unknown" && wasRepeated) return;
    if (verdict !== "ok") throw notRetried(verdict, pid, id);
  }

  /** Puts all back that are there now, oldest first; returns how many. */
  async retryAll(pid: Pid): Promise<number> {
    const before = await this.#readTime();
    let done = 0;
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const [verdict, count, isMore] = await this.#retry(pid, "", before);
      done += count;
      if (verdict !== "ok") throw notRetried(verdict, pid, "", done);
      if (isMore !== 1) break;
    }
    return done;
  }

  /** Its outcome, while that is kept, still says that it failed. */
  async drop(pid: Pid, id: string): Promise<void> {
    const [count, , wasRepeated] = await this.#drop(pid, id, "+inf");
    if (count === 0 && !wasRepeated) throw unknownLetter(pid, id);
  }

  /** Drops all that are there now; returns how many. */
  async dropAll(pid: Pid): Promise<number> {
    const before = await this.#readTime();
    let done = 0;
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const [count, isMore] = await this.#drop(pid, "", before);
      done += count;
      if (isMore !== 1) break;
    }
    return done;
  }

  #retry(pid: Pid, id: string, until: string): Promise<[...Retried, wasRepeated: boolean]> {
    const { messages, bytes } = this.#options.rulesOf(moduleOf(pid))?.mailbox ?? DEFAULT_MAILBOX;
    return this.#run<Retried>("retry", pid, [id, BATCH, until, messages, bytes]);
  }

  #drop(pid: Pid, id: string, until: string): Promise<[...Dropped, wasRepeated: boolean]> {
    return this.#run<Dropped>("drop", pid, [id, BATCH, until]);
  }

  /** What the script answers, and whether an earlier attempt may have done it. */
  async #run<Reply extends readonly unknown[]>(
    script: "retry" | "drop",
    pid: Pid,
    args: readonly (string | number)[],
  ): Promise<[...Reply, wasRepeated: boolean]> {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(pid);
    const all = [keys.base(partition), pid, ...args];
    let attempts = 0;
    const send = () => {
      attempts++;
      return link.run<Reply>(script, [keys.process(partition, pid)], all);
    };
    const reply = await this.#sender.repeat(send, `${script} of ${pid}`);
    return [...reply, attempts > 1];
  }

  /** Redis's time in ms, by which dead letters are dated: what fails from now on is not meant. */
  async #readTime(): Promise<string> {
    const now = await this.#sender.repeat(() => readRedisTime(this.#options.link), "the time");
    return String(Math.floor(now));
  }
}

function notRetried(verdict: Retried[0], pid: Pid, id: string, done = 0): ClusterError {
  switch (verdict) {
    case "no_process":
      return noProcess(pid);
    case "mailbox_full":
      return new ClusterError("mailbox_full", `the mailbox of ${pid} is full; ${done} were put back`);
    case "start":
      return new ClusterError("already_started", `${id} is the start of an earlier life, and ${pid} is started`);
    default:
      return unknownLetter(pid, id);
  }
}

function unknownLetter(pid: Pid, id: string): ClusterError {
  return new ClusterError("unknown_message", `${pid} has no dead letter ${id}`);
}
