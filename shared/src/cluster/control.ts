/**
 * An operator's verbs on a process. Each is one script and overtakes all mail: a mark in the record, or the end of the
 * incarnation, and never a message. A verb that finds nothing to do says what is true.
 */

import type { Pid } from "../process/pid.ts";
import { type ProcessStatus, readStatus } from "../process/status.ts";
import { moduleOf } from "../redis/keys.ts";
import type { ScriptName } from "../redis/scripts.ts";
import { ClusterError, type ErrorCode } from "../service/errors.ts";
import { type Act, composeAct, readDone } from "./act.ts";
import type { Outboxes } from "./outbox.ts";
import { Sender, type SenderOptions } from "./sender.ts";

export interface ControlOptions extends SenderOptions {
  outboxes: Outboxes;
  /** Undefined for a module that is not known here. */
  rulesOf: (module: string) => { keepState: "never" | "after-crash" | "always" } | undefined;
  /** Forgets a state that lies in a store of its own and that no record names any more. */
  wipeState?: (pid: Pid, reference: string) => Promise<void>;
}

export interface Killed {
  reason: string;
  /** Whether a start revives it with its state. */
  stateKept: boolean;
}

/** What was dropped: a message, or the continuation that the process was owed. */
export interface Skipped {
  messageId?: string;
  kind: string;
  /** The timer that went with its tick. */
  timer?: string;
}

interface Keyed {
  idempotencyKey?: string | undefined;
}

const NOT_SKIPPED: Record<string, [code: ErrorCode, why: string]> = {
  not_paused: ["not_paused", "is neither paused nor quarantined: pause it first"],
  in_hand: ["not_paused", "is not at rest yet: a worker still has it in memory, or a turn is under way; try again"],
  empty: ["unknown_message", "has no message waiting"],
  start: ["not_cancellable", "would begin for ever without its start: kill it instead"],
};

export class Control {
  readonly #options: ControlOptions;
  readonly #sender: Sender;

  constructor(options: ControlOptions) {
    this.#options = options;
    this.#sender = new Sender(options);
  }

  /** From now on nothing runs and mail is kept. A turn under way ends. */
  async pause(pid: Pid): Promise<ProcessStatus> {
    const [verdict, why] = await this.#run<[string, "paused" | "quarantined"]>("pause", pid, []);
    if (verdict === "no_process") throw noProcess(pid);
    if (verdict === "starting") throw new ClusterError("not_started", `${pid} has not started yet; kill can end it`);
    return why;
  }

  resume(pid: Pid): Promise<ProcessStatus> {
    return this.#letGo(pid, "paused");
  }

  unquarantine(pid: Pid): Promise<ProcessStatus> {
    return this.#letGo(pid, "quarantined");
  }

  async #letGo(pid: Pid, why: "paused" | "quarantined"): Promise<ProcessStatus> {
    const [verdict, stored = "", hasMail, held = ""] = await this.#run<string[]>("resume", pid, [why]);
    if (verdict === "no_process") throw noProcess(pid);
    return readStatus(stored, hasMail === "1", held);
  }

  /** Ends the process at once, without terminate; its mail is answered with `no_process`. */
  async kill(pid: Pid, reason: string, { idempotencyKey }: Keyed = {}): Promise<Killed> {
    const { keys, outboxes, rulesOf, wipeState } = this.#options;
    const partition = keys.partitionOf(pid);
    const act = composeAct(partition, pid, "kill", reason, idempotencyKey);
    const keepsState = rulesOf(moduleOf(pid))?.keepState !== "never";
    const args = [reason, keepsState ? 1 : 0, act.id, act.hash, act.keepMs];
    const [verdict, kept, name = "", sent = 0, isSwept, reference] = await this.#run<
      [string, number | string, string?, number?, number?, string?]
    >("kill", pid, args, act);
    if (verdict === "no_process") throw noProcess(pid);
    if (verdict === "known") return { reason, stateKept: readDone(String(kept), act) === true };
    if (sent > 0) void outboxes.empty(partition, name);
    if (isSwept !== 1) await this.#sweep(partition);
    if (reference) await wipeState?.(pid, reference);
    return { reason, stateKept: kept === 1 };
  }

  /** Drops what a paused or quarantined process would handle next; only the given message, where one is given. */
  async skip(pid: Pid, messageId: string | undefined, { idempotencyKey }: Keyed = {}): Promise<Skipped> {
    const act = composeAct(this.#options.keys.partitionOf(pid), pid, "skip", { messageId }, idempotencyKey);
    const args = [act.id, act.hash, act.keepMs, messageId ?? ""];
    const [verdict, detail = ""] = await this.#run<[string, string?]>("skip", pid, args, act);
    if (verdict === "skipped") return JSON.parse(detail) as Skipped;
    if (verdict === "known") return readDone(detail, act) as Skipped;
    if (verdict === "no_process") throw noProcess(pid);
    if (verdict === "other") {
      const next = detail ? `message ${detail}` : "a continuation";
      throw new ClusterError("unknown_message", `${messageId} is not at the head of the mailbox: ${next} is`);
    }
    const [code, why] = NOT_SKIPPED[verdict] ?? ["internal_error", `answered ${verdict}`];
    throw new ClusterError(code, `${pid} ${why}`);
  }

  /** What a sweep of 200 left in the mailbox of a killed process; the chores of every worker would find it too. */
  async #sweep(partition: number): Promise<void> {
    const { link, keys } = this.#options;
    const args = [keys.base(partition), 200];
    for (let rounds = 0; rounds < 1_000; rounds++) {
      if ((await link.run<number>("sweep", [keys.sweep(partition)], args)) === 0) return;
    }
  }

  /** All of them bear being sent again. */
  #run<Reply>(script: ScriptName, pid: Pid, args: readonly (string | number)[], act?: Act): Promise<Reply> {
    const { link, keys } = this.#options;
    const partition = keys.partitionOf(pid);
    const all = [keys.base(partition), pid, ...args];
    return this.#sender.repeat(
      () => link.run<Reply>(script, [keys.process(partition, pid)], all),
      act?.id ?? `${script} of ${pid}`,
    );
  }
}

export function noProcess(pid: Pid): ClusterError {
  return new ClusterError("no_process", `there is no process ${pid}, or it is stopped`);
}
