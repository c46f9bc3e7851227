/**
 * What the events of a process have come to, now or then: made by this node's copy of its module of the nearest snapshot and the
 * events after it. All is of one picture of the journal: events that are added while it is made do not count, and where what is
 * read is cut, or becomes another process's, it is made again of a new picture.
 */

import {
  JournalBroken,
  type JournalHead,
  readSnapshot,
  type StoredSnapshot,
} from "@genserverless/shared/cluster/journal.ts";
import { type Pid, splitPid } from "@genserverless/shared/process/pid.ts";
import type { JournalMark } from "@genserverless/shared/process/stored-state.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { Modules } from "../request/check-message.ts";
import { JournalCut, type JournalReader } from "./journal-reader.ts";
import type { ModuleRunner } from "./module-runner.ts";

export interface JournalState {
  pid: Pid;
  /** Of the last event that is in it; 0 before the first. */
  sequence: number;
  /** When that was committed, ISO 8601; null before the first, and where that event is not kept. */
  at: string | null;
  /** As the module shows it; null where this node does not have the module, or an earlier version. */
  state: unknown;
}

/** How often a picture is taken anew. */
const MOST_TRIES = 5;

export class JournalStates {
  readonly #reader: JournalReader;
  readonly #runner: ModuleRunner;
  readonly #modules: Modules;

  constructor(reader: JournalReader, runner: ModuleRunner, modules: Modules) {
    this.#reader = reader;
    this.#runner = runner;
    this.#modules = modules;
  }

  /** The state that a record's text and mark stand for, JSON text; undefined where this node does not have the module, or an earlier version. */
  async resolve(pid: Pid, text: string, mark: JournalMark): Promise<string | undefined> {
    if (!this.#knows(pid, mark.version)) return undefined;
    try {
      const stateText = await this.#make(pid, readSnapshot(text), mark.last);
      if ((await this.#reader.readIncarnation(pid)) === mark.incarnation) return stateText;
    } catch (error) {
      if (!(error instanceof JournalBroken)) throw error;
    }
    return await this.#steadily(pid, (head) => this.#make(pid, head.snapshots.at(-1), head.last));
  }

  /** The state at a sequence, at a time, or now. Rejects with JournalCut, `invalid_request` where that is still to come. */
  async readAt(pid: Pid, at: number | Date | undefined): Promise<JournalState> {
    return await this.#steadily(pid, async (head) => {
      const sequence = at instanceof Date ? await this.#find(pid, head, at.getTime()) : (at ?? head.last);
      const { first, last, snapshots } = head;
      if (sequence > last) throw new ClusterError("invalid_request", `the journal of ${pid} goes to event ${last}`);
      if (sequence < first - 1) throw new JournalCut(pid, first);
      const snapshot = snapshots.findLast((each) => each.sequence <= sequence);
      const [stateText, time] = await Promise.all([
        this.#knows(pid, head.version) ? this.#make(pid, snapshot, sequence) : "null",
        sequence < first ? undefined : this.#timeOf(pid, sequence),
      ]);
      const moment = time === undefined ? null : new Date(time).toISOString();
      return { pid, sequence, at: moment, state: JSON.parse(stateText) as unknown };
    });
  }

  /** Not where a later version of the module has committed. */
  #knows(pid: Pid, version: number): boolean {
    const module = this.#modules().get(splitPid(pid).module);
    return module?.journal?.view !== undefined && module.version >= version;
  }

  async #make(pid: Pid, snapshot: StoredSnapshot | undefined, last: number): Promise<string> {
    const { module, key } = splitPid(pid);
    const from = (snapshot?.sequence ?? 0) + 1;
    if (last < from - 1)
      throw new JournalBroken(`the snapshot is of event ${from - 1}, and the journal of ${pid} ends at ${last}`);
    const { kind, error, stateText } = await this.#runner.recover({ module, pid, key, snapshot }, (isWhole) =>
      this.#reader.journals.pages(pid, isWhole ? 1 : from, last),
    );
    if (kind === "failed") throw new JournalBroken(`${module} cannot be made of its journal: ${error}`);
    if (kind === "late") throw new ClusterError("callback_timeout", `recovery of ${pid} ${error}`);
    if (kind === "ended") throw new ClusterError("callback_failed", `recovery of ${pid} ${error}`);
    return stateText;
  }

  async #steadily<T>(pid: Pid, read: (head: JournalHead) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      const head = await this.#reader.readHead(pid);
      let trouble: unknown;
      const found = await read(head).catch((error) => {
        trouble = error;
      });
      const isSame = (await this.#reader.readIncarnation(pid)) === head.incarnation;
      if (trouble === undefined && isSame) return found as T;
      const isMoved = !isSame || (trouble instanceof JournalBroken && (await this.#isCut(pid, head)));
      if (!isMoved || tries === MOST_TRIES)
        throw trouble ?? new ClusterError("no_process", `${pid} begins again and again`);
    }
  }

  async #isCut(pid: Pid, { first }: JournalHead): Promise<boolean> {
    return (await this.#reader.readHead(pid)).first > first;
  }

  /** The last event that was committed by a time. */
  async #find(pid: Pid, { first, last }: JournalHead, ms: number): Promise<number> {
    let [least, most] = [first - 1, last];
    while (least < most) {
      const middle = Math.ceil((least + most) / 2);
      if ((await this.#timeOf(pid, middle)) <= ms) least = middle;
      else most = middle - 1;
    }
    // What was before the first that is kept may have been made later than that time.
    if (least === first - 1 && first > 1) throw new JournalCut(pid, first);
    return least;
  }

  async #timeOf(pid: Pid, sequence: number): Promise<number> {
    const [entry] = await this.#reader.journals.read(pid, sequence, 1);
    if (!entry) throw new JournalBroken(`event ${sequence} of ${pid} is missing`);
    if (Number.isFinite(entry.at)) return entry.at;
    throw new JournalBroken(`event ${sequence} of ${pid} is torn: its time is none`);
  }
}
