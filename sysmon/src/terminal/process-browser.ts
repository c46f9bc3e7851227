/**
 * The processes tab's memory: which page is open, how it is filtered and sorted, which row is chosen. A page is read, and
 * read again from its own cursor; nothing ever reads all processes. Sorting is of the page's rows; the busiest of the
 * whole cluster are those that the workers' heartbeats name.
 *
 * Reading rests twenty times as long as it took, at least a second: a filter that matches little costs Redis a
 * twentieth of its time at most.
 */

import type { ClusterView, ListQuery, ProcessView } from "@genserverless/shared/inspect/views.ts";
import type { Pid } from "@genserverless/shared/process/pid.ts";
import type { ProcessesModel, ProcessRow } from "../view/model.ts";
import type { Eyes } from "./eyes.ts";
import { parseFilter } from "./process-filter.ts";

const SORTS: Record<string, (a: ProcessRow, b: ProcessRow) => number> = {
  none: () => 0,
  pid: (a, b) => a.pid.localeCompare(b.pid),
  mailbox: (a, b) => b.mailbox.waiting - a.mailbox.waiting,
  "turns/s": (a, b) => (b.turnsPerS ?? 0) - (a.turnsPerS ?? 0),
  turns: (a, b) => b.turns - a.turns,
  failed: (a, b) => b.mailbox.failed - a.mailbox.failed,
  status: (a, b) => a.status.localeCompare(b.status),
};
const SORT_NAMES = Object.keys(SORTS);
const LEAST_REST_MS = 1_000;
const REST_TIMES = 20;
const LEAST_ROWS = 10;
const MOST_ROWS = 200;

export class ProcessBrowser {
  readonly #eyes: Eyes;
  #rows: readonly ProcessRow[] = [];
  /** The cursors of the pages up to the open one; the first page has none. */
  #cursors: (string | undefined)[] = [undefined];
  #nextCursor: string | undefined;
  #filter = "";
  #query: Omit<ListQuery, "limit"> = {};
  #sort = "none";
  #isBusiest = false;
  #isLoaded = false;
  #error: string | undefined;
  #chosen = 0;
  #seen = new Map<string, { turns: number; atMs: number }>();
  #restUntilMs = 0;
  #room = 0;
  #reading: Promise<void> | undefined;
  /** Rises with each change of what is wanted: what was read for an earlier wish is dropped. */
  #wish = 0;

  constructor(eyes: Eyes) {
    this.#eyes = eyes;
  }

  get model(): ProcessesModel {
    return {
      rows: this.#rows,
      chosen: this.#chosen,
      page: this.#cursors.length,
      hasNext: this.#nextCursor !== undefined,
      filter: this.#filter,
      sort: this.#sort,
      isBusiest: this.#isBusiest,
      isLoaded: this.#isLoaded,
      error: this.#error,
    };
  }

  get chosenPid(): string | undefined {
    return this.#rows[this.#chosen]?.pid;
  }

  move(by: number): void {
    this.#chosen = Math.max(0, Math.min(this.#rows.length - 1, this.#chosen + by));
  }

  /** Throws where the filter cannot be understood. */
  filter(text: string): void {
    this.#query = parseFilter(text);
    this.#filter = text;
    this.#isBusiest = false;
    this.#wishAnew();
  }

  toggleBusiest(): void {
    this.#isBusiest = !this.#isBusiest;
    this.#wishAnew();
  }

  nextSort(): void {
    const chosen = this.chosenPid;
    this.#sort = SORT_NAMES[(SORT_NAMES.indexOf(this.#sort) + 1) % SORT_NAMES.length] ?? "none";
    // "none" is the order in which pages come: it takes a new read.
    this.#show(this.#rows, chosen);
    this.#restUntilMs = 0;
  }

  nextPage(): void {
    if (this.#isBusiest || this.#nextCursor === undefined) return;
    this.#turnTo([...this.#cursors, this.#nextCursor]);
  }

  previousPage(): void {
    if (!this.#isBusiest && this.#cursors.length > 1) this.#turnTo(this.#cursors.slice(0, -1));
  }

  /** Reads the open page unless it is resting or under way. `room` is how many rows are seen. */
  load(room: number, view: ClusterView | undefined): Promise<void> {
    if (this.#reading) return this.#reading;
    if (performance.now() < this.#restUntilMs && room <= this.#room) return Promise.resolve();
    this.#room = room;
    this.#reading = this.#read(room, view).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(room: number, view: ClusterView | undefined): Promise<void> {
    const wish = this.#wish;
    const startedAtMs = performance.now();
    try {
      const limit = Math.max(LEAST_ROWS, Math.min(MOST_ROWS, room));
      const read = this.#isBusiest ? await this.#readBusiest(limit, view) : await this.#readPage(limit);
      const rows = await Promise.all(read.processes.map((process) => this.#complete(process)));
      if (wish !== this.#wish) return;
      this.#nextCursor = read.nextCursor;
      this.#error = undefined;
      this.#isLoaded = true;
      this.#remember(rows);
      this.#show(rows, this.chosenPid);
    } catch (error) {
      this.#error = (error as Error).message;
    }
    const now = performance.now();
    this.#restUntilMs = now + Math.max(LEAST_REST_MS * 0.9, REST_TIMES * (now - startedAtMs));
  }

  #readPage(limit: number): Promise<{ processes: ProcessView[]; nextCursor?: string }> {
    return this.#eyes.listProcesses({ ...this.#query, limit, cursor: this.#cursors.at(-1) });
  }

  async #readBusiest(
    limit: number,
    view: ClusterView | undefined,
  ): Promise<{ processes: ProcessView[]; nextCursor?: string }> {
    const busiest = (view?.nodes ?? []).flatMap((node) => node.busiest ?? []).sort((a, b) => b.turns - a.turns);
    const pids = [...new Set(busiest.map(({ pid }) => pid))].slice(0, limit);
    const read = await Promise.all(pids.map((pid) => this.#eyes.readProcess(pid as Pid, false)));
    return { processes: read.filter((process) => process !== undefined) };
  }

  async #complete(process: ProcessView): Promise<ProcessRow> {
    const before = this.#seen.get(process.pid);
    const sinceS = before ? (performance.now() - before.atMs) / 1000 : 0;
    const lastError = process.mailbox.failed > 0 ? await this.#eyes.readLastError(process.pid as Pid) : undefined;
    return {
      ...process,
      ...(before && sinceS > 0 && { turnsPerS: Math.max(0, process.turns - before.turns) / sinceS }),
      ...(lastError !== undefined && { lastError }),
    };
  }

  #remember(rows: readonly ProcessRow[]): void {
    const atMs = performance.now();
    this.#seen = new Map(rows.map(({ pid, turns }) => [pid, { turns, atMs }]));
  }

  #show(rows: readonly ProcessRow[], chosen: string | undefined): void {
    const compare = SORTS[this.#sort];
    this.#rows = compare ? rows.toSorted(compare) : rows;
    const index = this.#rows.findIndex(({ pid }) => pid === chosen);
    this.#chosen = index >= 0 ? index : Math.max(0, Math.min(this.#chosen, this.#rows.length - 1));
  }

  #turnTo(cursors: (string | undefined)[]): void {
    this.#wishAnew();
    this.#cursors = cursors;
  }

  #wishAnew(): void {
    this.#wish++;
    this.#cursors = [undefined];
    this.#nextCursor = undefined;
    this.#rows = [];
    this.#chosen = 0;
    this.#isLoaded = false;
    this.#error = undefined;
    this.#restUntilMs = 0;
  }
}
