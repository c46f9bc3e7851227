/**
 * The processes that this worker runs. A wake-up names a process with mail; the host claims it and runs it until its
 * mail is done, and keeps it in memory until it has been idle for its time, or is the least recently used of too many.
 *
 * A process is: unknown → running (claim, turns, commits) → held (idle, in memory) → running … → asleep or given up.
 * At most one run of a process exists here at a time. A wake-up during a run is remembered: the commit that found the
 * mailbox empty may be older than the message.
 *
 * When the session is lost everything is dropped at once: what is under way is sealed, and its commits would be refused
 * anyway. When a script's answer is lost the process is forgotten here and claimed anew; Redis knows what is true.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Claimed, Fetched } from "@genserverless/shared/cluster/leases.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import { AnswerLost, RedisDown, type RedisLink } from "@genserverless/shared/redis/connection.ts";
import { moduleOf } from "@genserverless/shared/redis/keys.ts";
import { IN_RECORD, storeOf } from "@genserverless/shared/stores/reference.ts";
import { StateMissing, StoreUnavailable } from "@genserverless/shared/stores/store.ts";
import { Activation, LEAST_WIDTH, type Stored } from "./activation.ts";
import type { Crashes } from "./crashes.ts";
import type { Delivery } from "./delivery.ts";
import { Residents } from "./residents.ts";
import { Run, type RunEnd, type RunOptions } from "./run.ts";
import { letGo, storeState } from "./store-state.ts";

export interface HostOptions
  extends Omit<RunOptions, "shouldLeave" | "isOutdated" | "hasBacklog" | "noteTurns" | "noteWaiting"> {
  link: RedisLink;
  mostActivations: number;
  mostRunning: number;
  /** Called when Redis says that the session is dead. */
  onDead: () => void;
}

interface Running {
  run: Run | undefined;
  wasWoken: boolean;
  /** It gives its place to those that wait, and waits behind them. */
  yields: boolean;
  /** A message that was put into our hand while the run was ending. */
  delivered: Delivery | undefined;
}

export class Host {
  readonly #options: HostOptions;
  readonly #runOptions: RunOptions;
  readonly #residents: Residents;
  readonly #running = new Map<Pid, Running>();
  readonly #runs = new WeakMap<Activation, Run>();
  readonly #backlog = new Set<Pid>();
  readonly #leaving = new Set<Pid>();
  /** Running with a module that has changed: they end their run and are claimed anew. */
  readonly #outdated = new Set<Pid>();
  /** Of those whose state a failed turn has spoilt: the next one's crashes are counted with them. */
  readonly #crashes = new Map<Pid, Crashes>();
  #session = "";
  #isDraining = false;
  #turns = 0;
  /** Turns under way that wait for another process, and so need no place. */
  #waiting = 0;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#residents = new Residents({
      ...options,
      isRunning: (pid) => this.#running.has(pid),
      reserve: (pid) => this.#reserve(pid),
      isCurrent: ({ session }) => session === this.#session,
    });
    this.#runOptions = {
      ...options,
      shouldLeave: ({ lease }) => this.#isDraining || this.#leaving.has(lease.pid),
      isOutdated: ({ lease }) => this.#outdated.has(lease.pid),
      hasBacklog: () => this.#backlog.size > 0,
      noteTurns: (turns) => {
        this.#turns += turns;
      },
      noteWaiting: (change) => {
        this.#waiting += change;
        if (change > 0) this.#takeFromBacklog();
      },
    };
  }

  get held(): number {
    return this.#residents.size;
  }

  get running(): number {
    return this.#running.size;
  }

  get turns(): number {
    return this.#turns;
  }

  /** From now on the host claims for this session; what it had under another is void. */
  adopt(session: string): void {
    this.drop();
    this.#session = session;
  }

  /** The process has mail. */
  wake(pid: Pid): void {
    this.#take(pid, undefined);
  }

  /** The process has this message, and it is in our hand if we still hold the lease. */
  deliver(delivery: Delivery): void {
    this.#take(delivery.pid, delivery);
  }

  #take(pid: Pid, delivered: Delivery | undefined): void {
    const running = this.#running.get(pid);
    if (running) {
      running.wasWoken = true;
      running.delivered = delivered ?? running.delivered;
    } else if (this.#running.size - this.#waiting >= this.#options.mostRunning) {
      this.#backlog.add(pid);
    } else if (this.#session) {
      this.#running.set(pid, { run: undefined, wasWoken: false, yields: false, delivered });
      void this.#serve(pid);
    }
  }

  /** A module has changed: what runs or is held of it is claimed anew, with the new one. */
  async reload(name: string): Promise<void> {
    const held = this.#residents.all().filter(({ lease }) => moduleOf(lease.pid) === name);
    for (const { lease } of held) if (this.#running.has(lease.pid)) this.#outdated.add(lease.pid);
    await this.#residents.passivate(held);
  }

  /** Somebody has ended the process under our hands. */
  forget(pid: Pid): void {
    this.#running.get(pid)?.run?.abandon();
    this.#residents.forget(pid);
    this.#crashes.delete(pid);
  }

  /** Drops everything: the session is dead. */
  drop(): void {
    this.#session = "";
    for (const { run } of this.#running.values()) run?.abandon();
    this.#running.clear();
    this.#residents.clear();
    this.#backlog.clear();
    this.#leaving.clear();
    this.#outdated.clear();
    this.#crashes.clear();
  }

  /**
   * Lets the turns under way end, gives their processes to others, and puts the rest to sleep. A turn that goes on waiting
   * for another process is given up: whom it waits for may be here too, and is not run any more. It asks again, under the
   * same ids, wherever it is run next. When the time is over every turn is given up.
   */
  async drain(withinMs: number): Promise<void> {
    this.#isDraining = true;
    const startedAt = Date.now();
    for (let ms = 0; this.#running.size > 0 && ms < withinMs + HAND_OVER_MS; ms = Date.now() - startedAt) {
      const mustEnd = (run: Run) => ms >= withinMs || (ms >= WAITING_GRACE_MS && run.isWaiting);
      for (const { run } of this.#running.values()) if (run && mustEnd(run)) run.giveUp();
      await sleep(20);
    }
    await this.#residents.passivate();
  }

  /** Gives up to `count` processes to other workers: idle ones now, running ones after their turn. */
  async shed(count: number): Promise<void> {
    const chosen = this.#residents.all().slice(0, count);
    for (const { lease } of chosen) if (this.#running.has(lease.pid)) this.#leaving.add(lease.pid);
    this.#options.events.emit("info", "processes.shed", { count: chosen.length });
    await this.#residents.handOver(chosen);
  }

  passivateIdle(): Promise<void> {
    for (const [pid, crashes] of this.#crashes) if (crashes.isOver()) this.#crashes.delete(pid);
    return this.#residents.passivateDue();
  }

  /** No message may come between: the process counts as running meanwhile. */
  #reserve(pid: Pid): () => void {
    const mine: Running = { run: undefined, wasWoken: false, yields: false, delivered: undefined };
    this.#running.set(pid, mine);
    return () => {
      if (this.#running.get(pid) === mine) this.#running.delete(pid);
      if (mine.wasWoken) this.#take(pid, mine.delivered);
    };
  }

  async #serve(pid: Pid): Promise<void> {
    const mine = this.#running.get(pid) as Running;
    try {
      do {
        mine.wasWoken = false;
        await this.#runOnce(pid, mine);
      } while (mine.wasWoken && this.#running.get(pid) === mine);
      if (mine.yields) this.#backlog.add(pid);
    } catch (error) {
      if (this.#running.get(pid) === mine) this.#residents.forget(pid);
      await this.#recover(pid, mine, error);
    }
    if (this.#running.get(pid) !== mine) return;
    this.#running.delete(pid);
    this.#takeFromBacklog();
  }

  async #runOnce(pid: Pid, mine: Running): Promise<void> {
    const { delivered } = mine;
    mine.delivered = undefined;
    const held = this.#residents.find(pid);
    if (delivered && held && !this.#isDraining && isHeldUnder(held, delivered) && this.#isUpToDate(held)) {
      this.#residents.hold(held);
      await this.#run(held, [delivered.message], mine);
    } else {
      await this.#claimAndRun(pid, mine);
    }
  }

  async #claimAndRun(pid: Pid, mine: Running): Promise<void> {
    const { leases } = this.#options;
    const session = this.#session;
    const known = await this.#findUpToDate(pid);
    const width = this.#isDraining ? 0 : (known?.width ?? LEAST_WIDTH);
    const claimed = await leases.claim(pid, session, known?.lease.epoch ?? "", width);
    // The session may have been lost while the answer was under way.
    if (this.#running.get(pid) !== mine) return;
    if (claimed.verdict === "later") return;
    if (claimed.verdict === "held" && known) await letGo(known, this.#options);
    if (claimed.verdict !== "ok") {
      if (known) this.#residents.forgetThis(known);
      if (claimed.verdict === "dead") this.#options.onDead();
      return;
    }
    if (claimed.isTakenOver) this.#options.meter.takeovers += 1;
    const isRenewal = known !== undefined && known.lease.epoch === claimed.epoch;
    const activation = isRenewal ? known : await this.#activate(pid, session, claimed);
    if (!activation || this.#running.get(pid) !== mine) return;
    this.#residents.hold(activation);
    if (this.#isDraining || (await this.#isTooOld(activation))) {
      const isGone =
        (await storeState(activation, this.#options)) && (await leases.handOver(activation.lease)) === "done";
      if (this.#isDraining || isGone) {
        this.#residents.forgetThis(activation);
        return;
      }
    }
    if (claimed.messages.length === 0 && !activation.continueText) {
      // A wake-up that came late: it is put back to sleep, as if it had not been touched.
      if (!isRenewal && (await leases.passivate(activation.lease)) !== "refused")
        this.#residents.forgetThis(activation);
      return;
    }
    if (isRenewal) activation.adaptWidth(claimed.messages);
    await this.#run(activation, claimed.messages, mine);
  }

  #isUpToDate({ module }: Activation): boolean {
    return this.#options.modules.get(module.name) === module;
  }

  /** What is held under a module that has changed is claimed anew. */
  async #findUpToDate(pid: Pid): Promise<Activation | undefined> {
    const held = this.#residents.find(pid);
    if (!held || this.#isUpToDate(held)) return held;
    await storeState(held, this.#options);
    this.#residents.forgetThis(held);
    return undefined;
  }

  async #run(activation: Activation, messages: Fetched[], mine: Running): Promise<void> {
    const { pid } = activation.lease;
    const run = this.#runOf(activation);
    mine.run = run;
    const end = await run.run(messages);
    mine.run = undefined;
    const isOurs = this.#running.get(pid) === mine;
    mine.yields = end === "yielded";
    if (!STAYS.has(end) || activation.isSpoiled) this.#residents.forgetThis(activation);
    else if (isOurs) this.#residents.hold(activation);
    if (!isOurs) return;
    this.#leaving.delete(pid);
    this.#outdated.delete(pid);
    if (activation.isSpoiled && KEEPS_CRASHES.has(end)) this.#crashes.set(pid, activation.crashes);
    else if (end === "held" || end === "stopped") this.#crashes.delete(pid);
    // Refused: somebody else has it, or this session claims it anew.
    if (end === "lost") mine.wasWoken = true;
  }

  #runOf(activation: Activation): Run {
    const run = this.#runs.get(activation) ?? new Run(activation, this.#runOptions);
    this.#runs.set(activation, run);
    return run;
  }

  async #activate(pid: Pid, session: string, claimed: Claimed): Promise<Activation | undefined> {
    const stored = await this.#readStored(pid, claimed);
    const module = this.#options.modules.get(moduleOf(pid));
    if (!module) {
      this.#options.events.emit("error", "module.missing", { pid });
      return undefined;
    }
    const { epoch, revision } = claimed;
    const lease = { pid, partition: this.#options.keys.partitionOf(pid), session, epoch, revision };
    return new Activation(module, lease, claimed, stored, this.#crashes.get(pid));
  }

  /** A newer worker has left this state: one of those should have it. */
  async #isTooOld({ module, fromVersion, lease }: Activation): Promise<boolean> {
    if (fromVersion <= module.version || module.codeChange) return false;
    this.#options.events.emit("warn", "module.outdated", { pid: lease.pid, has: module.version, needs: fromVersion });
    await sleep(OUTDATED_PAUSE_MS);
    return true;
  }

  async #readStored(pid: Pid, { stateText }: Claimed): Promise<Stored> {
    if (storeOf(stateText) === IN_RECORD) return { stateText };
    try {
      return { stateText: await this.#options.stores.resolve(pid, stateText) };
    } catch (error) {
      if (error instanceof StateMissing) return { refusal: error.message };
      throw error;
    }
  }

  /** An answer was lost: once Redis, or the state store, answers again, the process is claimed anew. */
  async #recover(pid: Pid, mine: Running, error: unknown): Promise<void> {
    const isAway = error instanceof StoreUnavailable;
    const isExpected = isAway || error instanceof AnswerLost || error instanceof RedisDown;
    if (!isExpected)
      this.#options.events.emit("error", "run.failed", { pid, error: String((error as Error).stack ?? error) });
    await this.#options.link.untilUp();
    if (this.#running.get(pid) !== mine) return;
    this.#running.delete(pid);
    // An error that is not the connection's would come again at once.
    setTimeout(() => this.wake(pid), isAway ? error.retryInMs : isExpected ? 0 : 1_000);
    this.#takeFromBacklog();
  }

  #takeFromBacklog(): void {
    for (const pid of this.#backlog) {
      this.#backlog.delete(pid);
      this.wake(pid);
      return;
    }
  }
}

/** After these ends of a run the lease is still ours. */
const STAYS = new Set<RunEnd>(["idle", "yielded", "later"]);
/** After these the process goes on, and is made anew where its state was spoilt. */
const KEEPS_CRASHES = new Set<RunEnd>(["lost", "later"]);
/** How long a turn may go on waiting for another process once the worker leaves. */
const WAITING_GRACE_MS = 1_000;
/** For storing and handing over what was given up at the very end. */
const HAND_OVER_MS = 1_000;
/** So that two old workers do not play ball with a process. */
const OUTDATED_PAUSE_MS = 250;

function isHeldUnder({ lease }: Activation, { epoch, revision }: Delivery): boolean {
  return lease.epoch === epoch && lease.revision === revision;
}
