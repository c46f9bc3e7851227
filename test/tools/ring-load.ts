/**
 * Processes in a ring that pass tokens on, by `test/modules/ring.ts`: each arrival is a cast of one process to another, and
 * each process sees for itself whether what comes from its predecessor comes once and in order.
 */

import type { ClusterClient } from "./cluster-client.ts";
import { until } from "./until.ts";

export interface RingOptions {
  client: ClusterClient;
  prefix: string;
  processes: number;
  /** How many each process sets out with, and how often each is passed. */
  tokens: number;
  hops: number;
}

export interface RingResult {
  arrived: number;
  ended: number;
  faults: string[];
}

interface RingState {
  got: number;
  ended: number;
  faults: string[];
}

export class RingLoad {
  readonly #options: RingOptions;

  constructor(options: RingOptions) {
    this.#options = options;
  }

  /** How many arrivals there will be. */
  get expected(): number {
    const { processes, tokens, hops } = this.#options;
    return processes * tokens * hops;
  }

  /** Starts the processes; nothing moves yet. */
  async start(): Promise<void> {
    const { client, processes } = this.#options;
    const start = (index: number) =>
      client.start("ring", this.#key(index), { args: { next: `ring/${this.#key((index + 1) % processes)}` } });
    const started = await Promise.all(Array.from({ length: processes }, (_, index) => start(index)));
    const failed = started.find(({ status }) => status !== 201);
    if (failed) throw new Error(`the ring did not start: ${JSON.stringify(failed.body)}`);
  }

  /** Sends the tokens on their way. */
  async inject(): Promise<void> {
    const { client, processes, tokens, hops } = this.#options;
    const cast = (index: number) => client.cast(`ring/${this.#key(index)}`, { inject: tokens, hops });
    const sent = await Promise.all(Array.from({ length: processes }, (_, index) => cast(index)));
    const failed = sent.find(({ status }) => status !== 202);
    if (failed) throw new Error(`the ring was not set going: ${JSON.stringify(failed.body)}`);
  }

  /** Every token has made its last hop. */
  async untilEnded(withinMs: number): Promise<RingResult> {
    const tokens = this.#options.processes * this.#options.tokens;
    let result: RingResult | undefined;
    const hasEnded = async () => {
      result = await this.read();
      return result.ended >= tokens || result.faults.length > 0;
    };
    try {
      await until(hasEnded, { withinMs, everyMs: 200, what: `${tokens} tokens have come to their end` });
    } catch (error) {
      throw new Error(`of ${this.expected} hops: ${JSON.stringify(result)}`, { cause: error });
    }
    return result as RingResult;
  }

  async read(): Promise<RingResult> {
    const { client, processes } = this.#options;
    const read = async (index: number) => (await client.read(`ring/${this.#key(index)}`)).body["state"] as RingState;
    const states = await Promise.all(Array.from({ length: processes }, (_, index) => read(index)));
    return {
      arrived: sum(states.map(({ got }) => got)),
      ended: sum(states.map(({ ended }) => ended)),
      faults: states.flatMap(({ faults }, index) => faults.map((fault) => `${this.#key(index)}: ${fault}`)),
    };
  }

  #key(index: number): string {
    return `${this.#options.prefix}${index}`;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
