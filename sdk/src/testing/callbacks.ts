/** Runs the callbacks of a turn and reads what they return. */

import type { JournalRules } from "../journaled.ts";
import type { Effect } from "../runtime/effects.ts";
import type { ReturningCallback } from "../runtime/interpret.ts";
import {
  describeError,
  failWith,
  failWithTimeout,
  invoke,
  readState,
  readTurn,
  type TurnResult,
} from "../runtime/turn.ts";
import type { TurnContext } from "../runtime/turn-context.ts";
import type { Commits } from "./commits.ts";
import type { KitCluster } from "./kit-cluster.ts";
import { ABANDONED, TIMED_OUT, type Turn } from "./turn.ts";

/** What a callback came to, and what it wants done if that counts. */
export interface Taken {
  result: TurnResult;
  effects: readonly Effect[];
}

export class Callbacks {
  readonly #cluster: KitCluster;
  readonly #commits: Commits;

  constructor(cluster: KitCluster, commits: Commits) {
    this.#cluster = cluster;
    this.#commits = commits;
  }

  /** Runs one callback on the current state and reads what it returned. Rejects with ABANDONED only. */
  async take(turn: Turn, callback: ReturningCallback, content: unknown): Promise<Taken> {
    const { process, module } = turn;
    process.turns += 1;
    try {
      const state = await this.#readState(turn, process.current?.text);
      const { returned, ctx } = await this.#run(turn, (given) => invoke(module, callback, content, state, given));
      return { result: this.#view(turn, readTurn(module, callback, returned)), effects: ctx.effects };
    } catch (error) {
      if (error === ABANDONED) throw error;
      const result = error === TIMED_OUT ? failWithTimeout(module, callback) : failWith(module, callback, error);
      return { result, effects: [] };
    }
  }

  /** Runs terminate where the module has it; what goes wrong in it is only told. */
  async terminate(turn: Turn, reason: string, stateText: string | undefined): Promise<readonly Effect[]> {
    const { process, module } = turn;
    if (!module.terminate) return [];
    try {
      const state = (await this.#readState(turn, stateText)) as never;
      const { ctx } = await this.#run(turn, (given) => module.terminate?.(reason, state, given));
      return ctx.effects;
    } catch (error) {
      if (error === ABANDONED) throw error;
      const what = error === TIMED_OUT ? "exceeded its deadline" : `threw ${describeError(error)[0]}`;
      this.#cluster.journal.note("terminate.failed", process.pid, { detail: `${module.name}.terminate ${what}` });
      return [];
    }
  }

  /** The state as an object: of its text, or made of the journal. */
  async #readState({ process, module }: Turn, stateText: string | undefined): Promise<unknown> {
    if (stateText === undefined) return undefined;
    return module.journal ? await process.journal.recover(process.pid, module.journal) : readState(module, stateText);
  }

  /** What a journaled module's state looks like stands for it in the kit. */
  #view({ module: { journal } }: Turn, result: TurnResult): TurnResult {
    if (!journal || (result.kind !== "goes-on" && result.kind !== "stops")) return result;
    return { ...result, stateText: viewText(journal, result.state) };
  }

  /** Runs a callback to its end; where the worker is to die here, it dies before anything is committed. */
  async #run<T>(turn: Turn, callback: (ctx: TurnContext) => T): Promise<{ returned: Awaited<T>; ctx: TurnContext }> {
    try {
      return await turn.run(callback);
    } finally {
      const { process } = turn;
      if (process.crashesToCome > 0 && turn.isUnderWay) {
        process.crashesToCome -= 1;
        this.#commits.crash(process);
        // biome-ignore lint/correctness/noUnsafeFinally: whatever the callback came to, its worker is dead.
        throw ABANDONED;
      }
    }
  }
}

/** What is shown of a journaled module's state, JSON text. */
export function viewText({ view }: JournalRules, state: unknown): string {
  return JSON.stringify(view ? view(state) : null) ?? "null";
}
