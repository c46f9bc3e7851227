/** Many timers of many processes, by `test/modules/alarm.ts`: how late each comes, and whether any is lost or doubled. */

import type { ClusterClient } from "./cluster-client.ts";
import { until } from "./until.ts";

export interface TimerLoadOptions {
  client: ClusterClient;
  prefix: string;
  processes: number;
  timers: number;
  /** The timers are due evenly over so long; 0 for all at one instant. */
  overMs: number;
  /** Time to set them before the first is due. */
  leadMs: number;
}

/** How late timers were, in ms; `rung` counts them. */
export interface TimerFigures {
  rung: number;
  firstMs: number;
  medianMs: number;
  p99Ms: number;
  mostMs: number;
  faults: string[];
}

interface AlarmState {
  lateMs: Record<string, number>;
  faults: string[];
}

export class TimerLoad {
  readonly #options: TimerLoadOptions;

  constructor(options: TimerLoadOptions) {
    this.#options = options;
  }

  /** Starts the processes and has them set their timers; returns when the first is due, in ms since the epoch. */
  async start(): Promise<number> {
    const { client, leadMs } = this.#options;
    const keys = this.#keys();
    const started = await Promise.all(keys.map((key) => client.start("alarm", key)));
    const startAt = Date.now() + leadMs;
    const set = (key: string, index: number) => client.cast(`alarm/${key}`, { dueAts: this.#dueAts(index, startAt) });
    const sent = await Promise.all(keys.map(set));
    const failed = [...started, ...sent].find(({ status }) => status !== 201 && status !== 202);
    if (failed) throw new Error(`the timers were not set: ${JSON.stringify(failed.body)}`);
    return startAt;
  }

  /** Every timer has come at least once. */
  async untilRung(withinMs: number): Promise<TimerFigures> {
    let figures: TimerFigures | undefined;
    const areRung = async () => {
      figures = await this.read();
      return figures.rung >= this.#options.timers;
    };
    try {
      await until(areRung, { withinMs, everyMs: 250, what: `${this.#options.timers} timers have come` });
    } catch (error) {
      throw new Error(JSON.stringify(figures), { cause: error });
    }
    return figures as TimerFigures;
  }

  async read(): Promise<TimerFigures> {
    const { client } = this.#options;
    const read = async (key: string) => (await client.read(`alarm/${key}`)).body["state"] as AlarmState;
    const states = await Promise.all(this.#keys().map(read));
    const late = states.flatMap(({ lateMs }) => Object.values(lateMs)).sort((one, other) => one - other);
    const at = (share: number) => late[Math.min(late.length - 1, Math.floor(late.length * share))] ?? 0;
    return {
      rung: late.length,
      firstMs: at(0),
      medianMs: at(0.5),
      p99Ms: at(0.99),
      mostMs: at(1),
      faults: states.flatMap(({ faults }) => faults),
    };
  }

  #keys(): string[] {
    return Array.from({ length: this.#options.processes }, (_, index) => `${this.#options.prefix}${index}`);
  }

  /** Those of one process: each takes every `processes`th of all. */
  #dueAts(index: number, startAt: number): number[] {
    const { processes, timers, overMs } = this.#options;
    const dueAts: number[] = [];
    for (let timer = index; timer < timers; timer += processes) {
      dueAts.push(startAt + Math.floor((timer * overMs) / timers));
    }
    return dueAts;
  }
}
