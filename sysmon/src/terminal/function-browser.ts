/**
 * The functions tab's memory: all projects and their functions, which of these is chosen, and the one that is open. They
 * are asked of the API while the tab is open, and of these two only what is seen: the list, or the one. Reading rests
 * twenty times as long as it took, at least a second.
 */

import type { FunctionView } from "@genserverless/shared/functions/views.ts";
import type { FunctionEyes, FunctionsView } from "../functions.ts";
import type { FunctionsModel } from "../view/model.ts";
import { FunctionPage } from "./function-page.ts";
import { describeProblem } from "./operator.ts";

const LEAST_REST_MS = 900;
const REST_TIMES = 20;

export class FunctionBrowser {
  readonly #eyes: FunctionEyes;
  readonly #onLine: () => void;
  #view: FunctionsView | undefined;
  #chosen = 0;
  #page: FunctionPage | undefined;
  #error: string | undefined;
  #restUntilMs = 0;
  #reading: Promise<void> | undefined;

  /** `onLine` is told of each line of the log that comes. */
  constructor(eyes: FunctionEyes, onLine: () => void) {
    this.#eyes = eyes;
    this.#onLine = onLine;
  }

  get model(): FunctionsModel {
    const chosen = this.#functions.length > 0 ? this.#chosen : -1;
    return { view: this.#view, chosen, page: this.#page?.model, error: this.#error };
  }

  /** The open one, or the one that is chosen. */
  get chosen(): { project: string; name: string } | undefined {
    return this.#page ?? this.#functions[this.#chosen];
  }

  /** Through the list; of the open one through its log. `room` is how many lines of it are seen. */
  move(by: number, room: number): void {
    if (this.#page) this.#page.move(by, room);
    else this.#chosen = Math.max(0, Math.min(this.#functions.length - 1, this.#chosen + by));
  }

  open(): void {
    if (this.#page || !this.chosen) return;
    const { project, name } = this.chosen;
    this.#turnTo(new FunctionPage(this.#eyes, project, name, this.#onLine));
  }

  /** From the open one to the list. */
  goBack(): void {
    if (this.#page) this.#turnTo(undefined);
  }

  /** Nobody looks: no log need be told any more. */
  close(): void {
    this.#page?.close();
  }

  load(): Promise<void> {
    this.#page?.follow();
    if (this.#reading) return this.#reading;
    if (performance.now() < this.#restUntilMs) return Promise.resolve();
    const page = this.#page;
    this.#reading = this.#read(page).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  get #functions(): readonly FunctionView[] {
    return this.#view?.projects.flatMap(({ functions }) => functions) ?? [];
  }

  #turnTo(page: FunctionPage | undefined): void {
    this.close();
    this.#page = page;
    this.#restUntilMs = 0;
  }

  async #read(page: FunctionPage | undefined): Promise<void> {
    const startedAtMs = performance.now();
    await (page ? page.read() : this.#readList());
    const now = performance.now();
    if (page === this.#page) this.#restUntilMs = now + Math.max(LEAST_REST_MS, REST_TIMES * (now - startedAtMs));
  }

  async #readList(): Promise<void> {
    try {
      const read = await this.#eyes.readFunctions();
      this.#error = "refusal" in read ? describeProblem(read.refusal.status, read.refusal.body) : undefined;
      if ("view" in read) this.#show(read.view);
    } catch (error) {
      this.#error = (error as Error).message;
    }
  }

  /** The same one stays chosen, wherever it stands now. */
  #show(view: FunctionsView): void {
    const before = this.#functions[this.#chosen];
    this.#view = view;
    const index = this.#functions.findIndex(({ project, name }) => project === before?.project && name === before.name);
    this.#chosen = index >= 0 ? index : Math.max(0, Math.min(this.#chosen, this.#functions.length - 1));
  }
}
