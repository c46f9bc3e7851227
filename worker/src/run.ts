/**
 * Runs one process, as long as it is in this worker's memory. A run takes it from a claim that found mail to the moment
 * when it is idle, stopped, given up or lost: turns, commit, the next messages, turns, commit … Messages fetched together share one commit. A turn that ends the batch early – it
 * stopped, continued, hibernated or failed, or the batch has taken `BATCH_MS` – is committed with what came before it,
 * and the rest of the batch follows. A callback that waits does not hold up the replies of the turns before it: they are
 * committed meanwhile.
 *
 * A commit that is refused means that the lease is lost: the run ends, and nothing of it is true but what was committed.
 * One that finds the process paused or quarantined ends the lease itself; one that puts a failed message off leaves it.
 * A turn that is given up because the worker leaves has come to nothing: the turns before it are made true, the state is
 * stored, and the process is handed over with the message still in hand, as between two turns.
 */

import type { ClusterClock } from "@genserverless/shared/cluster/clock.ts";
import type { Journals } from "@genserverless/shared/cluster/journal.ts";
import type { Committed, Fetched } from "@genserverless/shared/cluster/leases.ts";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Outboxes } from "@genserverless/shared/cluster/outbox.ts";
import { type Keys, mailboxName } from "@genserverless/shared/redis/keys.ts";
import type { Events } from "@genserverless/shared/service/events.ts";
import type { Tracer } from "@genserverless/shared/trace/tracer.ts";
import type { Log } from "genserverless";
import { TurnEndedError } from "genserverless/runtime/turn-errors.ts";
import type { ServerModule } from "genserverless/server-module.ts";
import type { Activation } from "./activation.ts";
import { ActWriter } from "./acts.ts";
import { Callbacks, TurnGivenUp } from "./callbacks.ts";
import type { Calls } from "./calls.ts";
import { Ledger } from "./ledger.ts";
import { openMessage } from "./message.ts";
import type { Meter } from "./meter.ts";
import { prepare } from "./prepare.ts";
import { type Ending, MOST_DEATHS } from "./settling.ts";
import { commitState, type Storing, storeState } from "./store-state.ts";
import { TurnTrace } from "./turn-trace.ts";
import { Turns } from "./turns.ts";

export interface RunOptions extends Storing {
  log: Log;
  events: Events;
  keys: Keys;
  clock: ClusterClock;
  messenger: Messenger;
  calls: Calls;
  journals: Journals;
  outboxes: Outboxes;
  modules: ReadonlyMap<string, ServerModule>;
  meter: Meter;
  tracer: Tracer;
  /** Whether the process should go to another worker as soon as no turn is under way. */
  shouldLeave: (activation: Activation) => boolean;
  /** Whether its module has changed since it was activated. */
  isOutdated: (activation: Activation) => boolean;
  /** Whether others wait for this process's place. */
  hasBacklog: () => boolean;
  noteTurns: (turns: number) => void;
  /** A turn waits for another process, and takes no place while it does; or it does so no more. */
  noteWaiting: (change: 1 | -1) => void;
}

/** `held`: it is paused or quarantined; `later`: a failed message waits for its next try. */
export type RunEnd = "idle" | "stopped" | "asleep" | "left" | "lost" | "yielded" | "held" | "later";

/** What ended a batch, and which of its messages are left. */
interface Handled {
  ending: Ending;
  left: Fetched[];
}

const BATCH_MS = 5;
/** How long a process may go on while others wait for its place. */
const PLACE_MS = 100;
const UNDER_WAY = -1;

/** How many nodes have died before a turn with what would be done next, or in it; as far as is known: not where that is blamed. */
function countDeaths({ continueDeaths }: Activation, messages: readonly Fetched[]): number {
  const unblamed = messages.map(({ deaths, blame }) => (blame === "" ? deaths : deaths - MOST_DEATHS));
  return Math.max(continueDeaths, ...unblamed);
}

export class Run {
  readonly #activation: Activation;
  readonly #options: RunOptions;
  readonly #callbacks: Callbacks;
  readonly #turns: Turns;
  readonly #trace: TurnTrace;
  readonly #ledger = new Ledger();
  #isLost = false;
  #isWaiting = false;
  /** Gives the making of the state up. */
  #preparing: AbortController | undefined;
  #commitError: unknown;
  /** A commit of earlier turns while a later one waits; one at a time. */
  #meanwhile: Promise<void> | undefined;
  #emptying: Promise<void> | undefined;

  constructor(activation: Activation, options: RunOptions) {
    this.#activation = activation;
    this.#options = options;
    this.#callbacks = new Callbacks(activation, options, {
      holdsUp: () => !this.#ledger.isEmpty && !this.#isLost,
      onWaiting: () => this.#commitMeanwhile(),
      settleEarlier: () => this.#settleEarlier(),
      noteWaiting: (change) => {
        this.#isWaiting = change > 0;
        options.noteWaiting(change);
      },
    });
    const trace = new TurnTrace(activation.lease.pid, options.tracer);
    this.#trace = trace;
    this.#turns = new Turns({
      activation,
      callbacks: this.#callbacks,
      ledger: this.#ledger,
      acts: new ActWriter(activation.lease.pid, options, trace),
      trace,
      events: options.events,
      meter: options.meter,
      now: () => options.clock.now(),
    });
  }

  /** Whether the turn under way waits for another process. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Ends the run as lost: the turn under way is sealed, and nothing more is committed. */
  abandon(): void {
    this.#isLost = true;
    this.#preparing?.abort();
    this.#callbacks.abandon();
  }

  /** Gives up the turn under way, and no more: it is run again by whoever gets the process. */
  giveUp(): void {
    this.#preparing?.abort();
    this.#callbacks.giveUp();
  }

  async run(messages: Fetched[]): Promise<RunEnd> {
    const activation = this.#activation;
    const refusal = activation.isPrepared ? undefined : await this.#prepare(countDeaths(activation, messages));
    if (this.#isLost) return "lost";
    // What a module that has been replaced meanwhile could not do, its successor may.
    const isReplaced = this.#options.modules.get(activation.module.name) !== activation.module;
    if (refusal !== undefined && !isReplaced) return await this.#quarantine(refusal);
    if (!activation.isPrepared) return await this.#leave();
    const placeEndsAt = performance.now() + PLACE_MS;
    let batch = messages;
    for (;;) {
      const handled = await this.#handleBatch(batch);
      if (this.#meanwhile) await this.#meanwhile;
      if (this.#commitError) throw this.#commitError;
      if (this.#isLost) return "lost";
      if (!handled) return await this.#leave();
      const { ending, left } = handled;
      const yields = this.#options.hasBacklog() && performance.now() > placeEndsAt;
      const mayFetch = left.length === 0 && !ending.continueText && !yields && !this.#mustLeave();
      const committed = await this.#commit(ending, mayFetch ? activation.width : 0);
      if (!committed) return "lost";
      const end = await this.#findEnd(ending, committed);
      if (end) return end;
      if (yields && left.length === 0 && !ending.continueText) return "yielded";
      if (mayFetch) activation.adaptWidth(committed.messages);
      batch = left.length > 0 ? left : committed.messages;
      if (batch.length > 0 || activation.continueText) continue;
      if (!ending.hibernates || committed.hasMail) return "idle";
      return await this.#sleep();
    }
  }

  async #prepare(deaths: number): Promise<string | undefined> {
    this.#preparing = new AbortController();
    try {
      return await prepare(this.#activation, deaths, this.#options.journals, this.#preparing.signal);
    } finally {
      this.#preparing = undefined;
    }
  }

  /** What ends the run after a commit, whatever mail is left. */
  async #findEnd(ending: Ending, { isSwept, heldBack }: Committed): Promise<RunEnd | undefined> {
    const activation = this.#activation;
    const { leases, shouldLeave } = this.#options;
    if (ending.life === "wiped" || ending.life === "stopped") {
      if (!isSwept) await leases.sweep(activation.lease.partition);
      return "stopped";
    }
    activation.continueText = ending.continueText ?? "";
    if (heldBack.startsWith("retry")) return "later";
    // Stored now, it is given up.
    if (heldBack) return (await this.#store()) ? "held" : "lost";
    // What a failed turn has left in memory is no state: the process is claimed anew, and made of its journal.
    if (ending.continueText || !this.#mustLeave()) return activation.isSpoiled ? "lost" : undefined;
    if (!(await this.#store())) return "lost";
    // Claimed anew at once, with the new module; no other worker needs to have it yet.
    if (!shouldLeave(activation)) return "lost";
    return await this.#handOver();
  }

  /** A turn was given up, or the making of the state: the ledger has what was before. */
  async #leave(): Promise<RunEnd> {
    const { continueText } = this.#activation;
    const ending: Ending = { life: "", ...(continueText && { continueText }) };
    if (!this.#ledger.isEmpty && !(await this.#commit(ending, 0))) return "lost";
    return (await this.#store()) ? await this.#handOver() : "lost";
  }

  /** Where nobody else runs the module it is claimed anew. */
  async #handOver(): Promise<RunEnd> {
    return (await this.#options.leases.handOver(this.#activation.lease)) === "done" ? "left" : "lost";
  }

  #mustLeave(): boolean {
    const { shouldLeave, isOutdated } = this.#options;
    return shouldLeave(this.#activation) || isOutdated(this.#activation);
  }

  /** Undefined where a turn was given up. */
  async #handleBatch(batch: Fetched[]): Promise<Handled | undefined> {
    try {
      return await this.#takeTurns(batch);
    } catch (error) {
      if (!(error instanceof TurnGivenUp)) throw error;
      this.#trace.giveUp();
      return undefined;
    }
  }

  async #takeTurns(batch: Fetched[]): Promise<Handled> {
    const { continueText } = this.#activation;
    if (continueText) {
      const ending = await this.#turns.continue(continueText);
      return { ending, left: ending.life === "" ? batch : [] };
    }
    const endsAt = performance.now() + BATCH_MS;
    for (const [index, fetched] of batch.entries()) {
      const after = await this.#turns.handle(openMessage(fetched));
      const isLast = index === batch.length - 1;
      if (this.#isLost || isLast || after !== "next" || performance.now() > endsAt) {
        return { ending: after === "next" ? { life: "" } : after, left: batch.slice(index + 1) };
      }
    }
    return { ending: { life: "" }, left: [] };
  }

  /** The state cannot be used by this version of the module: a person has to decide. */
  async #quarantine(why: string): Promise<RunEnd> {
    const { lease } = this.#activation;
    this.#options.events.emit("error", "process.quarantined", { pid: lease.pid, reason: why });
    this.#ledger.addActs([["quarantine", why]]);
    const { continueText } = this.#activation;
    const ending: Ending = { life: "", ...(continueText && { continueText }) };
    return (await this.#commit(ending, 0, this.#activation.fromVersion)) ? "held" : "lost";
  }

  /** What the turns before this one sent goes before what it asks. */
  async #settleEarlier(): Promise<void> {
    await this.#commitMeanwhile();
    if (this.#isLost) throw new TurnEndedError("the lease was lost");
    await this.#emptying;
  }

  /** A callback waits: the turns before it need not. Resolves when there are none that are not true. */
  async #commitMeanwhile(): Promise<void> {
    while (this.#meanwhile) await this.#meanwhile;
    if (this.#ledger.isEmpty || this.#isLost) return;
    this.#meanwhile = this.#commit({ life: "" }, UNDER_WAY)
      .then(
        (committed) => committed ?? this.abandon(),
        (error: unknown) => {
          this.#commitError = error;
          this.abandon();
        },
      )
      .then(() => {
        this.#meanwhile = undefined;
      });
    await this.#meanwhile;
  }

  async #sleep(): Promise<RunEnd> {
    if (!(await this.#store())) return "lost";
    const end = await this.#options.leases.passivate(this.#activation.lease);
    return end === "done" ? "asleep" : end === "refused" ? "idle" : "lost";
  }

  #store(): Promise<boolean> {
    return storeState(this.#activation, this.#options);
  }

  async #commit(ending: Ending, width: number, version?: number): Promise<Committed | undefined> {
    const { noteTurns, outboxes } = this.#options;
    const activation = this.#activation;
    const { life, reason = "", continueText } = ending;
    const page = this.#ledger.take();
    noteTurns(page.turns);
    const mustStore = activation.mustStore() || (life === "stopped" && activation.isDirty);
    const request = { width, life, reason, continueText, ...page };
    const committed = await commitState(activation, this.#options, request, mustStore, version);
    if (!committed) return undefined;
    const { lease, incarnation } = activation;
    if (committed.sent > 0) this.#emptying = outboxes.empty(lease.partition, mailboxName(lease.pid, incarnation));
    return committed;
  }
}
