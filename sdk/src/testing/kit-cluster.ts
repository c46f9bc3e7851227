/**
 * What the processes of a kit share: modules, processes, mailboxes, groups, outcomes. It plays the part of Redis: it
 * survives every crash, and each of its verbs is done at once and as a whole.
 */

import type { Pid } from "../contract.ts";
import type { ServerModule } from "../server-module.ts";
import type { Ids } from "./ids.ts";
import type { Journal } from "./journal.ts";
import { KitProcess, type ProcessOptions } from "./kit-process.ts";
import { contentOf, type Mail, type MailKind, newMail } from "./mail.ts";
import { dropped, Outcomes } from "./outcomes.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Why something was not accepted; `code` is one of the cluster's error codes. */
export interface Refusal {
  readonly code: "no_process" | "unknown_module" | "already_started" | "mailbox_full";
  readonly detail: string;
}

export interface DeadLetter {
  readonly messageId: string;
  readonly kind: MailKind;
  readonly message: unknown;
  readonly reason: string;
  readonly stack: readonly string[];
  readonly attempts: number;
  readonly deaths: number;
  /** Ms since the epoch. */
  readonly failedAt: number;
}

export interface Acceptance {
  delayMs?: number;
  /** Whether a full mailbox refuses it. */
  isBounded?: boolean;
}

const ON_DEMAND: readonly MailKind[] = ["call", "cast", "info"];

export class KitCluster {
  readonly clock: VirtualClock;
  readonly ids: Ids;
  readonly journal: Journal;
  readonly outcomes = new Outcomes();
  readonly groups = new Map<string, Set<Pid>>();
  readonly #modules = new Map<string, ServerModule>();
  readonly #processes = new Map<Pid, KitProcess>();
  readonly #deadLetters = new Map<Pid, DeadLetter[]>();
  readonly #accepted = new Set<string>();
  /** Those that may have work, in the order in which they got it. */
  readonly #ready = new Set<KitProcess>();

  constructor(clock: VirtualClock, ids: Ids, journal: Journal) {
    this.clock = clock;
    this.ids = ids;
    this.journal = journal;
  }

  module(name: string): ServerModule | undefined {
    return this.#modules.get(name);
  }

  setModule(module: ServerModule): void {
    this.#modules.set(module.name, module);
  }

  /** The process, also a stopped one whose state was kept. */
  find(pid: string): KitProcess | undefined {
    return this.#processes.get(pid as Pid);
  }

  /** The process, unless it is stopped. */
  findLiving(pid: string): KitProcess | undefined {
    const process = this.find(pid);
    return process?.isThere ? process : undefined;
  }

  processes(): IterableIterator<KitProcess> {
    return this.#processes.values();
  }

  deadLetters(pid: string): DeadLetter[] {
    return this.#deadLetters.get(pid as Pid) ?? [];
  }

  /** Begins an incarnation with `start` as its first message; a stopped process begins again with the state it kept. */
  begin(pid: Pid, id: string, argsText: string, options: ProcessOptions): Refusal | undefined {
    const name = pid.slice(0, pid.indexOf("/"));
    if (!this.#modules.has(name)) return { code: "unknown_module", detail: `this kit has no module ${name}` };
    const earlier = this.find(pid);
    if (earlier?.isThere) return { code: "already_started", detail: `${pid} is ${earlier.status}` };
    const process = new KitProcess(pid, id, options);
    process.stored = earlier?.stored;
    if (earlier) process.journal = earlier.journal;
    this.#processes.set(pid, process);
    this.#accepted.add(id);
    this.push(process, newMail(id, { kind: "start", text: argsText }));
    return undefined;
  }

  /** Whether a message of this id was accepted before. */
  isAccepted(id: string): boolean {
    return this.#accepted.has(id);
  }

  /** Puts a message into a mailbox, or says why not. The first message starts a process whose module wants that. */
  accept(pid: Pid, mail: Mail, { delayMs = 0, isBounded = false }: Acceptance = {}): Refusal | undefined {
    const process = this.findLiving(pid) ?? (ON_DEMAND.includes(mail.kind) ? this.#beginOnDemand(pid) : undefined);
    if (!process) return { code: "no_process", detail: `there is no process ${pid}` };
    if (isBounded && this.#isFull(process)) return { code: "mailbox_full", detail: `the mailbox of ${pid} is full` };
    this.#accepted.add(mail.id);
    if (delayMs > 0) this.delay(process, mail, this.clock.now + delayMs);
    else this.push(process, mail);
    return undefined;
  }

  push(process: KitProcess, mail: Mail): void {
    process.mailbox.push(mail);
    this.wake(process);
  }

  /** Puts it into the mailbox when it is due, should the incarnation live so long. */
  delay(process: KitProcess, mail: Mail, dueAt: number): void {
    const arrive = () => {
      process.delayed.delete(mail.id);
      this.push(process, mail);
    };
    process.delayed.set(mail.id, { mail, alarm: this.clock.at(dueAt, arrive) });
  }

  /** Takes back what is still on its way. */
  takeBack(process: KitProcess, id: string): void {
    process.delayed.get(id)?.alarm.cancel();
    process.delayed.delete(id);
  }

  bury(process: KitProcess, mail: Mail, reason: string, stack: readonly string[]): void {
    const { id: messageId, kind, attempt: attempts, deaths } = mail;
    const message = contentOf(mail);
    const letter = { messageId, kind, message, reason, stack, attempts, deaths, failedAt: this.clock.now };
    this.#deadLetters.set(process.pid, [letter, ...this.deadLetters(process.pid)]);
  }

  /** Ends an incarnation: whoever still waits for it is told, and its mail is gone. */
  end(process: KitProcess, keepsState: boolean): void {
    process.life = keepsState ? "stopped" : "wiped";
    if (!keepsState && this.find(process.pid) === process) this.#processes.delete(process.pid);
    this.#ready.delete(process);
    const detail = `${process.pid} stopped before it handled this message`;
    for (const { id } of process.mailbox.splice(0)) this.outcomes.settle(id, dropped("no_process", detail));
    for (const id of process.owed) {
      this.outcomes.settle(id, dropped("no_process", `${process.pid} stopped before it answered this call`));
    }
    process.owed.clear();
    for (const id of [...process.delayed.keys()]) this.takeBack(process, id);
    process.continuation = undefined;
    process.forget();
  }

  wake(process: KitProcess): void {
    this.#ready.add(process);
  }

  /** The process whose turn is next. */
  takeReady(): KitProcess | undefined {
    for (const process of this.#ready) {
      this.#ready.delete(process);
      if (process.isReady(this.clock.now)) return process;
    }
    return undefined;
  }

  #beginOnDemand(pid: Pid): KitProcess | undefined {
    if (!this.#modules.get(pid.slice(0, pid.indexOf("/")))?.onDemand) return undefined;
    this.begin(pid, this.ids.next(), "null", { tags: [] });
    return this.findLiving(pid);
  }

  #isFull(process: KitProcess): boolean {
    const { messages = Infinity } = this.module(process.moduleName)?.mailbox ?? {};
    return process.mailbox.length >= messages;
  }
}
