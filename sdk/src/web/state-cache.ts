/**
 * The states that an app still has: of each process the one that its last callback left, as text, for a callback may change
 * the object that it is given. The least recently used go first.
 */

import { randomBytes } from "node:crypto";

export interface StateCacheOptions {
  /** 10,000 unless given. */
  mostStates?: number;
  /** Of all texts together, in UTF-16 units; 64 Mi unless given. */
  mostCharacters?: number;
}

interface Kept {
  tag: string;
  stateText: string;
}

export class StateCache {
  readonly #mostStates: number;
  readonly #mostCharacters: number;
  readonly #states = new Map<string, Kept>();
  #characters = 0;

  constructor({ mostStates = 10_000, mostCharacters = 64 * 1024 * 1024 }: StateCacheOptions = {}) {
    this.#mostStates = mostStates;
    this.#mostCharacters = mostCharacters;
  }

  /** The state of this tag, JSON text, if it is still here. */
  find(pid: string, tag: string): string | undefined {
    const kept = this.#states.get(pid);
    if (kept?.tag !== tag) return undefined;
    this.#states.delete(pid);
    this.#states.set(pid, kept);
    return kept.stateText;
  }

  /** Keeps the state in place of the process's last one. Returns its tag, which no other state has. */
  keep(pid: string, stateText: string): string {
    const tag = randomBytes(12).toString("base64url");
    this.#drop(pid);
    this.#states.set(pid, { tag, stateText });
    this.#characters += stateText.length;
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= this.#mostStates && this.#characters <= this.#mostCharacters) break;
      this.#drop(oldest);
    }
    return tag;
  }

  #drop(pid: string): void {
    this.#characters -= this.#states.get(pid)?.stateText.length ?? 0;
    this.#states.delete(pid);
  }
}
