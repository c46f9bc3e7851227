/**
 * Clients that add to counters, and write down what became of each add. They add as fast as they are answered, with a rest
 * after every few, so that what they do it to, and not the CPU, is what they wait for; `npm run soak` takes no rest.
 */

import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, ClusterClient } from "./cluster-client.ts";
import { CounterHistory, type CounterOutcome, checkCounters, type Violation } from "./counter-history.ts";

export interface CounterLoadOptions {
  urls: () => readonly string[];
  clients: number;
  /** What takes `{ add }`, replying the total, and `"total"`; `accumulator` unless given. */
  module?: string;
  /** How many processes, `<module>/<prefix>0 …`. */
  processes: number;
  prefix: string;
  /** Of each call; an add that is not answered by then is on record as such. */
  timeoutMs: number;
}

const BURST = 10;
const REST_MS = Number(process.env["FIRE_SECONDS"] ?? 20) > 60 ? 0 : 300;
/** Answers after which the add certainly did not happen. */
const REFUSED = new Set(["no_workers", "redis_unavailable", "storage_full", "mailbox_full", "no_process", "draining"]);

export class CounterLoad {
  readonly history = new CounterHistory();
  /** How often each answer came: `ok`, a problem's code, or `broken` for a connection that broke. */
  readonly answers: Record<string, number> = {};
  readonly #options: CounterLoadOptions;
  readonly #client: ClusterClient;
  #slowestMs = 0;
  #running: Promise<void>[] = [];
  #isStopping = false;

  constructor(options: CounterLoadOptions) {
    this.#options = options;
    this.#client = new ClusterClient(options.urls);
  }

  get acknowledged(): number {
    return this.answers["ok"] ?? 0;
  }

  /** The longest that any add took to be answered, whatever the answer. */
  get slowestMs(): number {
    return this.#slowestMs;
  }

  /** Starts the processes at 0, then the clients. */
  async start(): Promise<void> {
    const keys = Array.from({ length: this.#options.processes }, (_, index) => this.#key(index));
    const started = await Promise.all(
      keys.map((key) => this.#client.start(this.#module, key, { args: this.#options.module ? null : 0 })),
    );
    const failed = started.find(({ status }) => status !== 201);
    if (failed) throw new Error(`a counter did not start: ${JSON.stringify(failed.body)}`);
    this.#running = Array.from({ length: this.#options.clients }, () => this.#runClient());
  }

  /** Ends the clients and waits for their last answers. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
  }

  /** Reads every total and checks the whole history. */
  async findViolations(): Promise<Violation[]> {
    const finals = new Map<string, number>();
    for (let index = 0; index < this.#options.processes; index++) {
      const { status, body } = await this.#client.call(`${this.#module}/${this.#key(index)}`, "total", {
        timeoutMs: 10_000,
      });
      if (status !== 200) throw new Error(`no total of ${this.#key(index)}: ${JSON.stringify(body)}`);
      finals.set(this.#key(index), body["reply"] as number);
    }
    return checkCounters(this.history.adds, { initial: 0, finals });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  get #module(): string {
    return this.#options.module ?? "accumulator";
  }

  #key(index: number): string {
    return `${this.#options.prefix}${index}`;
  }

  async #runClient(): Promise<void> {
    while (!this.#isStopping) {
      for (let add = 0; add < BURST && !this.#isStopping; add++) {
        await this.#add(this.#key(randomInt(this.#options.processes)));
      }
      await sleep(REST_MS);
    }
  }

  async #add(key: string): Promise<void> {
    const startedAt = performance.now();
    const end = this.history.begin(key, 1);
    const outcome = await this.#client
      .call(`${this.#module}/${key}`, { add: 1 }, { timeoutMs: this.#options.timeoutMs })
      .then(
        (answer) => this.#read(answer),
        () => this.#note("broken", { kind: "unknown" }),
      );
    end(outcome);
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startedAt);
  }

  #read({ status, body }: Answer): CounterOutcome {
    if (status === 200) return this.#note("ok", { kind: "acknowledged", total: body["reply"] as number });
    const code = String(body["code"] ?? status);
    return this.#note(code, { kind: REFUSED.has(code) ? "refused" : "unknown" });
  }

  #note(answer: string, outcome: CounterOutcome): CounterOutcome {
    this.answers[answer] = (this.answers[answer] ?? 0) + 1;
    return outcome;
  }
}
