/**
 * Runs the turns of the kit's processes, as a worker of the cluster does: the state is loaded, the callback is run, and
 * what it came to is committed. One message, one turn, one commit.
 *
 * A worker can die, and a process be killed, wherever a turn waits. So what a turn comes to is returned as its ending: it is
 * done in one step, at the end, and only while the turn is still the one under way.
 */

import { type Changed, changeState } from "../runtime/change-state.ts";
import { isHandled } from "../runtime/dispatch.ts";
import type { Effect } from "../runtime/effects.ts";
import {
  describeError,
  failAfterDeaths,
  failWithoutHandler,
  type TurnFailure,
  type TurnResult,
} from "../runtime/turn.ts";
import { admit, cancelTimeout } from "./admission.ts";
import { Callbacks, viewText } from "./callbacks.ts";
import type { Commits } from "./commits.ts";
import type { KitCluster } from "./kit-cluster.ts";
import type { Continuation, KitProcess, Snapshot } from "./kit-process.ts";
import { contentOf, type Mail, type MailOf } from "./mail.ts";
import { done, failed } from "./outcomes.ts";
import { ABANDONED, TIMED_OUT, Turn } from "./turn.ts";

const MOST_DEATHS = 3;

/** Makes true what a turn came to. */
type Ending = () => void;

export class Worker {
  readonly #cluster: KitCluster;
  readonly #commits: Commits;
  readonly #callbacks: Callbacks;

  constructor(cluster: KitCluster, commits: Commits) {
    this.#cluster = cluster;
    this.#commits = commits;
    this.#callbacks = new Callbacks(cluster, commits);
  }

  /** Handles what is first in line for a process. */
  async handle(process: KitProcess): Promise<void> {
    const module = this.#cluster.module(process.moduleName);
    if (!module) throw new Error(`the module of ${process.pid} has gone`);
    const inHand = process.continuation ?? process.mailbox[0];
    if (!inHand) return;
    const turn = new Turn({
      cluster: this.#cluster,
      process,
      module,
      id: inHand.id,
      messageId: inHand.kind === "continue" ? "" : inHand.id,
      attempt: inHand.kind === "continue" ? 1 : inHand.attempt,
      callerEndsAt: inHand.kind === "call" ? inHand.deadlineAt : Infinity,
    });
    process.turn = turn;
    process.falling?.cancel();
    try {
      const end = await this.#run(turn, inHand);
      turn.checkUnderWay();
      end();
    } catch (error) {
      if (error !== ABANDONED) throw error;
    } finally {
      // Otherwise its worker has died, or the process was killed: others have seen to it.
      if (turn.isUnderWay) this.#leave(turn);
    }
  }

  async #run(turn: Turn, inHand: Mail | Continuation): Promise<Ending> {
    const unloadable = await this.#load(turn);
    turn.checkUnderWay();
    if (unloadable) return unloadable;
    return inHand.kind === "continue" ? await this.#continue(turn, inHand) : await this.#open(turn, inHand);
  }

  #leave({ process, module }: Turn): void {
    process.turn = undefined;
    if (process.heldBack === "paused") this.#commits.holdBack(process, "paused");
    if (process.hasWork) this.#cluster.wake(process);
    else if (process.isThere) this.#fallAsleepLater(process, process.options.idleAfterMs ?? module.idleAfterMs);
  }

  #fallAsleepLater(process: KitProcess, idleAfterMs: number): void {
    if (process.module === undefined || idleAfterMs === Infinity) return;
    const { clock } = this.#cluster;
    process.falling = clock.at(clock.now + idleAfterMs, () => this.#commits.passivate(process));
  }

  /** Makes the stored state one of this version of the module. Returns the turn's ending where that fails. */
  async #load(turn: Turn): Promise<Ending | undefined> {
    const { process, module } = turn;
    const { now } = this.#cluster.clock;
    if (process.module && process.module !== module) {
      process.store(now);
      process.forget();
    }
    if (process.module) return undefined;
    process.load(module, now);
    const { stored } = process;
    if (!stored) return undefined;
    const changed = await this.#change(turn, stored);
    turn.checkUnderWay();
    if ("error" in changed) {
      return () => {
        process.forget();
        this.#commits.quarantine(process, changed.error);
      };
    }
    process.isMigrated = changed.stateText !== undefined;
    process.current = { text: changed.stateText ?? stored.text, version: module.version };
    return undefined;
  }

  async #change(turn: Turn, { version, text }: Snapshot): Promise<Changed> {
    const { module, process } = turn;
    const { journal } = module;
    try {
      if (journal) {
        const { returned } = await turn.run(() => process.journal.recover(process.pid, journal));
        return { state: returned, stateText: viewText(journal, returned) };
      }
      return (await turn.run(() => changeState(module, version, text))).returned;
    } catch (error) {
      const late = `was not done within ${module.turnTimeoutMs} ms`;
      if (error === TIMED_OUT) return { error: `${module.name}.${journal ? "journal.recover" : "codeChange"} ${late}` };
      if (error === ABANDONED || !journal) throw error;
      return { error: `${module.name} cannot be made of its journal: ${describeError(error)[0]}` };
    }
  }

  #open(turn: Turn, mail: Mail): Ending | Promise<Ending> {
    const { process } = turn;
    if (mail.deaths >= MOST_DEATHS) return this.#giveUp(turn, mail);
    if (mail.kind === "start") return this.#start(turn, mail);
    if (mail.kind === "stop") return this.#stop(turn, mail);
    const { verdict, effects } = admit(process, mail, this.#cluster.clock.now, () => this.#cluster.ids.next());
    if (verdict === "stale") {
      return () => {
        process.mailbox.shift();
        this.#cluster.journal.note("message.stale", process.pid, { message: contentOf(mail) });
      };
    }
    if (verdict === "passes") return () => this.#commits.commit(turn, { mail, outcome: done(undefined), effects });
    switch (mail.kind) {
      case "link":
      case "unlink":
        if (mail.kind === "link") process.ties.addLink(mail.pid, mail.ref);
        else process.ties.removeLink(mail.pid, mail.refs);
        return () => this.#commits.commit(turn, { mail, outcome: done(undefined), effects });
      case "exit":
        return this.#exit(turn, mail);
      case "call":
        return this.#deliver(turn, mail, "handleCall", effects);
      case "cast":
        return this.#deliver(turn, mail, "handleCast", effects);
      default:
        return this.#deliver(turn, mail, "handleInfo", effects);
    }
  }

  async #start(turn: Turn, mail: MailOf<"start">): Promise<Ending> {
    const { process } = turn;
    const commit = { mail, outcome: done(undefined), effects: [] };
    // A process that stopped with its state kept begins again with it.
    if (process.current) return () => this.#commits.commit(turn, commit);
    const { result, effects } = await this.#callbacks.take(turn, "init", JSON.parse(mail.text));
    switch (result.kind) {
      case "goes-on":
        return () => this.#commits.commit(turn, { ...commit, ...keep(result), effects, next: result });
      case "refuses":
        return () => this.#commits.refuse(turn, mail, "init_stopped", `init stopped: ${result.reason}`);
      case "ignores":
        return () => this.#commits.refuse(turn, mail, "init_ignored", "init wanted no process");
      case "stops":
        throw new Error("init has no such return");
      case "fails":
        return () => {
          this.#commits.noteFailure(process, result.failure, mail.id);
          this.#commits.refuse(turn, mail, "init_failed", result.failure.detail);
        };
    }
  }

  async #deliver(
    turn: Turn,
    mail: Mail,
    callback: "handleCall" | "handleCast" | "handleInfo",
    before: readonly Effect[],
  ): Promise<Ending> {
    const { process, module } = turn;
    const content = contentOf(mail);
    if (!isHandled(module, callback)) {
      if (callback !== "handleInfo")
        return () => this.#commits.fail(turn, mail, failWithoutHandler(module, callback).failure);
      return () => {
        this.#cluster.journal.note("info.ignored", process.pid, { message: content });
        this.#commits.commit(turn, { mail, outcome: done(undefined), effects: before });
      };
    }
    const cancelled = cancelTimeout(process);
    const { result, effects } = await this.#callbacks.take(turn, callback, content);
    if (result.kind === "fails") return () => this.#commits.fail(turn, mail, result.failure);
    const all = [...before, ...cancelled, ...effects];
    if (result.kind === "stops") return await this.#end(turn, mail, result, all);
    if (result.kind !== "goes-on") throw new Error(`${callback} has no such return`);
    const { replyText } = result;
    const isDeferred = mail.kind === "call" && replyText === undefined;
    const outcome = isDeferred ? undefined : done(replyText);
    return () => this.#commits.commit(turn, { mail, ...keep(result), outcome, effects: all, next: result });
  }

  async #continue(turn: Turn, { text, deaths }: Continuation): Promise<Ending> {
    const { process, module } = turn;
    const nothing = { mail: undefined, outcome: undefined, effects: [] };
    const giveUp = (failure: TurnFailure) => () => {
      process.ties.undo();
      this.#commits.noteFailure(process, failure);
      this.#commits.commit(turn, nothing);
      this.#commits.noteCrash(process, module);
    };
    if (!module.handleContinue) return giveUp(failWithoutHandler(module, "handleContinue").failure);
    if (deaths >= MOST_DEATHS) return giveUp(failAfterDeaths(deaths, `${module.name}.handleContinue ran`).failure);
    const { result, effects } = await this.#callbacks.take(turn, "handleContinue", JSON.parse(text));
    if (result.kind === "stops") return await this.#end(turn, undefined, result, effects);
    if (result.kind === "goes-on") {
      return () => this.#commits.commit(turn, { ...nothing, ...keep(result), effects, next: result });
    }
    if (result.kind !== "fails") throw new Error("handleContinue has no such return");
    return giveUp(result.failure);
  }

  /** A callback stopped the process. */
  async #end(
    turn: Turn,
    mail: Mail | undefined,
    result: TurnResult & { kind: "stops" },
    effects: readonly Effect[],
  ): Promise<Ending> {
    const { reason, replyText } = result;
    const last = await this.#callbacks.terminate(turn, reason, result.stateText);
    const isUnanswered = mail?.kind === "call" && replyText === undefined;
    const detail = `${turn.process.pid} stopped without a reply: ${reason}`;
    const outcome = isUnanswered ? failed("no_process", detail) : done(replyText);
    return () => this.#commits.end(turn, { mail, ...keep(result), outcome, effects: [...effects, ...last] }, reason);
  }

  async #stop(turn: Turn, mail: MailOf<"stop">): Promise<Ending> {
    const { reason } = mail;
    const effects = await this.#callbacks.terminate(turn, reason, turn.process.current?.text);
    return () => this.#commits.end(turn, { mail, outcome: done(JSON.stringify({ reason })), effects }, reason);
  }

  /** Ends the process without terminate, as in OTP, unless it traps exits, or the signal is none to it. */
  #exit(turn: Turn, mail: MailOf<"exit">): Ending | Promise<Ending> {
    const { process, module } = turn;
    const { reason, pid } = mail;
    const commit = { mail, outcome: done(undefined), effects: [] };
    if (module.trapExit) return this.#deliver(turn, mail, "handleInfo", []);
    if (reason === "normal" && pid !== process.pid) return () => this.#commits.commit(turn, commit);
    return () => this.#commits.end(turn, commit, reason);
  }

  /** A message that has ended three workers is not tried again. */
  #giveUp(turn: Turn, mail: Mail): Ending {
    const { failure } = failAfterDeaths(mail.deaths, `${turn.process.pid} handled this message`);
    if (mail.kind !== "start") return () => this.#commits.fail(turn, mail, failure, true);
    return () => {
      this.#commits.noteFailure(turn.process, failure, mail.id);
      this.#commits.refuse(turn, mail, failure.code, failure.detail);
    };
  }
}

/** What a turn leaves of its state. */
function keep({ stateText, journaled }: Extract<TurnResult, { state: unknown }>) {
  return { stateText, journaled };
}
