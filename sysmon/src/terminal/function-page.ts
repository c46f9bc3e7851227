/** One function that is looked into: its figures and runs as they were read last, and its log for as long as it is followed. */

import type { FunctionView, LogLine } from "@genserverless/shared/functions/views.ts";
import type { FunctionEyes } from "../functions.ts";
import type { FunctionPageModel } from "../view/model.ts";
import { describeProblem } from "./operator.ts";

const MOST_LINES = 2_000;

export class FunctionPage {
  readonly project: string;
  readonly name: string;
  readonly #eyes: FunctionEyes;
  readonly #onLine: () => void;
  #view: FunctionView | undefined;
  #lines: LogLine[] = [];
  #back = 0;
  #error: string | undefined;
  #unfollow: (() => void) | undefined;

  constructor(eyes: FunctionEyes, project: string, name: string, onLine: () => void) {
    this.#eyes = eyes;
    this.project = project;
    this.name = name;
    this.#onLine = onLine;
  }

  get model(): FunctionPageModel {
    const { project, name } = this;
    return { project, name, view: this.#view, lines: this.#lines, back: this.#back, error: this.#error };
  }

  /** Up is further back. `room` is how many lines are seen. */
  move(by: number, room: number): void {
    this.#back = Math.max(0, Math.min(this.#lines.length - room, this.#back - by));
  }

  /** From its first line that is kept on: what was told before is told again. */
  follow(): void {
    if (this.#unfollow) return;
    this.#lines = [];
    this.#back = 0;
    this.#unfollow = this.#eyes.followLog(this.project, this.name, (line) => this.#add(line));
  }

  close(): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  async read(): Promise<void> {
    try {
      const read = await this.#eyes.readFunction(this.project, this.name);
      this.#error = "refusal" in read ? describeProblem(read.refusal.status, read.refusal.body) : undefined;
      if ("view" in read) this.#view = read.view;
    } catch (error) {
      this.#error = (error as Error).message;
    }
  }

  #add(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) this.#lines.splice(0, MOST_LINES / 10);
    if (this.#back > 0) this.#back = Math.min(this.#lines.length, this.#back + 1);
    this.#onLine();
  }
}
