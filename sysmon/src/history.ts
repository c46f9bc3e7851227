/**
 * The recent past of the cluster: a ring of what each beat's picture told, for charts. A beat without news (Redis away)
 * leaves nothing behind.
 */

import type { ClusterView, NodeView } from "@genserverless/shared/inspect/views.ts";
import { runsProcesses } from "@genserverless/shared/process/role.ts";
import type { Part } from "@genserverless/shared/service/lifecycle.ts";
import type { Picture, Watch } from "./watch.ts";

export interface Beat {
  /** ms since the epoch. */
  atMs: number;
  /** Turns of all workers, a second. */
  turnsPerS: number;
  /** Requests of all api nodes, a second. */
  requestsPerS: number;
  /** Of call requests, in ms: the mean of the api nodes' medians, weighted by their requests. Absent where there were none. */
  p50Ms: number | undefined;
  /** The worst of the api nodes. */
  p99Ms: number | undefined;
  /** Messages that wait in mailboxes. */
  waiting: number;
  nodes: number;
}

export interface HistoryOptions {
  watch: Watch;
  everyMs?: number;
  most?: number;
  now?: () => number;
}

export class History implements Part {
  readonly #options: HistoryOptions;
  readonly #beats: Beat[] = [];
  #lastView: ClusterView | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HistoryOptions) {
    this.#options = options;
  }

  /** The oldest first. */
  get beats(): readonly Beat[] {
    return this.#beats;
  }

  async start(): Promise<void> {
    this.#timer ??= setInterval(() => void this.take(), this.#options.everyMs ?? 1000);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks, and keeps what is new. */
  async take(): Promise<void> {
    this.note(await this.#options.watch.look());
  }

  note({ view, away }: Picture): void {
    if (away || !view || view === this.#lastView) return;
    this.#lastView = view;
    this.#beats.push(summarize(view, (this.#options.now ?? Date.now)()));
    if (this.#beats.length > (this.#options.most ?? 120)) this.#beats.shift();
  }
}

function summarize({ nodes, mailbox }: ClusterView, atMs: number): Beat {
  const apis = nodes.filter(({ role }) => role === "api");
  const workers = nodes.filter(({ role }) => runsProcesses(role));
  const busy = apis.filter(({ latency }) => latency !== undefined && latency.p99Ms > 0);
  return {
    atMs,
    turnsPerS: sumRates(workers),
    requestsPerS: sumRates(apis),
    p50Ms: meanMedian(busy),
    p99Ms: busy.length > 0 ? Math.max(...busy.map(({ latency }) => latency?.p99Ms ?? 0)) : undefined,
    waiting: mailbox.waiting,
    nodes: nodes.length,
  };
}

function sumRates(nodes: readonly NodeView[]): number {
  return nodes.reduce((sum, { rate = 0 }) => sum + rate, 0);
}

function meanMedian(apis: readonly NodeView[]): number | undefined {
  if (apis.length === 0) return undefined;
  const weightOf = ({ rate = 0 }: NodeView) => Math.max(rate, 0.001);
  const weights = apis.reduce((sum, api) => sum + weightOf(api), 0);
  return apis.reduce((sum, api) => sum + (api.latency?.p50Ms ?? 0) * weightOf(api), 0) / weights;
}
