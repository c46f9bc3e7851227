/**
 * One thing that goes wrong with one kind of command, a given number of times. A test keeps it to wait for the moment
 * when it has happened, to let go of what it holds, or to take it back.
 */

import type { Command } from "./resp.ts";

export type FaultKind = "lose-answer" | "cut-mid-request" | "hold-request" | "hold-answer";

/** A text that the command's bytes contain (a script's SHA, a marker in an argument), or a question about it. */
export type CommandMatch = string | ((command: Command) => boolean);

export interface FaultOptions {
  /** How often; once unless told otherwise. */
  times?: number;
  /** Only on connections that have given themselves such a name (HELLO SETNAME, CLIENT SETNAME). */
  client?: string | RegExp;
}

export class Fault {
  readonly kind: FaultKind;
  /** Resolves when it has happened as often as it should. */
  readonly met: Promise<void>;
  /** Resolves when it lets go of what it holds. */
  readonly released: Promise<void>;
  readonly #match: CommandMatch;
  readonly #client: string | RegExp | undefined;
  readonly #times: number;
  #chances: number;
  #hits = 0;
  #resolveMet: () => void;
  #resolveReleased: () => void;

  constructor(kind: FaultKind, match: CommandMatch, { times = 1, client }: FaultOptions = {}) {
    this.kind = kind;
    this.#match = match;
    this.#times = times;
    this.#chances = times;
    this.#client = client;
    ({ promise: this.met, resolve: this.#resolveMet } = Promise.withResolvers<void>());
    ({ promise: this.released, resolve: this.#resolveReleased } = Promise.withResolvers<void>());
  }

  get hits(): number {
    return this.#hits;
  }

  /** Whether it would strike this command. */
  strikes(command: Command, clientName: string): boolean {
    return this.#chances > 0 && isNamed(clientName, this.#client) && this.#matches(command);
  }

  /** Uses one of its chances, to be followed by `hit`; false when none is left. */
  take(): boolean {
    if (this.#chances === 0) return false;
    this.#chances -= 1;
    return true;
  }

  hit(): void {
    this.#hits += 1;
    if (this.#hits >= this.#times) this.#resolveMet();
  }

  /** Lets go of everything it holds, now and later. */
  release(): void {
    this.#resolveReleased();
  }

  /** It strikes no more, and holds nothing. */
  withdraw(): void {
    this.#chances = 0;
    this.release();
  }

  #matches(command: Command): boolean {
    if (typeof this.#match === "function") return this.#match(command);
    // Loading a script carries its text, but does not run it.
    return command.name !== "SCRIPT" && command.bytes.includes(this.#match);
  }
}

export function isNamed(clientName: string, wanted: string | RegExp | undefined): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? clientName === wanted : wanted.test(clientName);
}
