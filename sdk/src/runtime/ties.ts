/**
 * What a process owns beside its state: its timers, monitors, links and groups. They are kept as the fields of one hash,
 * `t:<name>`, `m:<ref>`, `l:<pid>`, `g:<group>`, read when the process is activated and changed with its commits. A timer's
 * message, a DOWN or an exit signal counts only while its tie is here: what was cancelled late is dropped at its turn. A link
 * has references, as a monitor has one, so that an exit signal of an earlier life is not taken for that of a later one.
 *
 * A turn changes them at once, so that it sees what it has done; a turn that does not commit takes that back with `undo`.
 */

import type { Missed, Pid } from "../contract.ts";

/** A timer under its name. `id` is the message that is on its way; one with another id is a thing of the past. */
export interface Timer {
  readonly id: string;
  /** In ms since the epoch. */
  readonly dueAt: number;
  /** JSON text; kept where the timer goes on. */
  readonly messageText?: string;
  readonly everyMs?: number;
  readonly cron?: string;
  readonly timezone?: string;
  readonly missed?: Missed;
}

/** One field of the hash: its new text, or undefined where it went. */
export type TieChange = readonly [field: string, text: string | undefined];

export class Ties {
  readonly #fields: Map<string, string>;
  #undo: TieChange[] = [];
  #changes: TieChange[] = [];

  constructor(fields: Iterable<readonly [string, string]> = []) {
    this.#fields = new Map(fields);
  }

  get size(): number {
    return this.#fields.size;
  }

  /** Whether the turn under way has changed anything. */
  get hasChanged(): boolean {
    return this.#changes.length > 0;
  }

  timer(name: string): Timer | undefined {
    const text = this.#fields.get(`t:${name}`);
    return text === undefined ? undefined : (JSON.parse(text) as Timer);
  }

  setTimer(name: string, timer: Timer): void {
    this.#set(`t:${name}`, JSON.stringify(timer));
  }

  /** Says whether there was one. */
  deleteTimer(name: string): boolean {
    return this.#delete(`t:${name}`);
  }

  monitor(ref: string): Pid | undefined {
    return this.#fields.get(`m:${ref}`) as Pid | undefined;
  }

  setMonitor(ref: string, pid: Pid): void {
    this.#set(`m:${ref}`, pid);
  }

  deleteMonitor(ref: string): boolean {
    return this.#delete(`m:${ref}`);
  }

  isLinked(pid: Pid): boolean {
    return this.#fields.has(`l:${pid}`);
  }

  /** The references of a link: one of each side that made it, and has not taken it back. */
  linkRefs(pid: Pid): string[] {
    return this.#fields.get(`l:${pid}`)?.split(" ") ?? [];
  }

  addLink(pid: Pid, ref: string): void {
    const refs = this.linkRefs(pid);
    if (!refs.includes(ref)) this.#set(`l:${pid}`, [...refs, ref].join(" "));
  }

  /** The link stays while it has other references. Says whether it had one of these. */
  removeLink(pid: Pid, refs: readonly string[]): boolean {
    const before = this.linkRefs(pid);
    const left = before.filter((ref) => !refs.includes(ref));
    if (left.length === before.length) return false;
    if (left.length > 0) this.#set(`l:${pid}`, left.join(" "));
    else this.#delete(`l:${pid}`);
    return true;
  }

  isMember(group: string): boolean {
    return this.#fields.has(`g:${group}`);
  }

  setMember(group: string): void {
    this.#set(`g:${group}`, "1");
  }

  deleteMember(group: string): boolean {
    return this.#delete(`g:${group}`);
  }

  /** Every field with its text. */
  entries(): IterableIterator<[string, string]> {
    return this.#fields.entries();
  }

  /** The turn counts: returns what it changed. */
  keep(): TieChange[] {
    const changes = this.#changes;
    this.#changes = [];
    this.#undo = [];
    return changes;
  }

  /** The turn does not count: takes back what it changed. */
  undo(): void {
    for (const [field, text] of this.#undo.reverse()) {
      if (text === undefined) this.#fields.delete(field);
      else this.#fields.set(field, text);
    }
    this.#changes = [];
    this.#undo = [];
  }

  #set(field: string, text: string): void {
    this.#undo.push([field, this.#fields.get(field)]);
    this.#changes.push([field, text]);
    this.#fields.set(field, text);
  }

  #delete(field: string): boolean {
    const text = this.#fields.get(field);
    if (text === undefined) return false;
    this.#undo.push([field, text]);
    this.#changes.push([field, undefined]);
    this.#fields.delete(field);
    return true;
  }
}
