/**
 * The picture as it changes: one look a beat while anybody listens, told to all. Each event carries the time of its
 * picture as its id, `<ms>-0`; who comes back with one is told the history since, who comes without one all of it. A
 * reader that has not taken the last picture yet is not sent another.
 */

import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import type { EventStream } from "@genserverless/shared/service/event-stream.ts";
import type { Beat, History } from "../history.ts";
import type { Picture, Watch } from "../watch.ts";

export interface LiveOptions {
  watch: Pick<Watch, "look">;
  history: Pick<History, "beats">;
  beatMs?: number;
}

/** Streams of readers without a session or a token. */
const MOST_UNKNOWN = 256;

export class Live {
  readonly #options: LiveOptions;
  /** Each with whether its reader may see which processes there are. */
  readonly #streams = new Map<EventStream, boolean>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  /** Whether no more of those who nobody knows can be taken. */
  get isFull(): boolean {
    return [...this.#streams.values()].filter((seesPids) => !seesPids).length >= MOST_UNKNOWN;
  }

  async add(stream: EventStream, seesPids: boolean, lastId: string | undefined): Promise<void> {
    this.#streams.set(stream, seesPids);
    stream.onClose(() => this.#remove(stream));
    if (!stream.isOpen) return;
    this.#timer ??= setInterval(() => void this.#tell(), this.#options.beatMs ?? 500);
    const picture = await this.#options.watch.look();
    const sinceMs = Number(lastId?.split("-", 1)[0] ?? 0);
    stream.send({ event: "history", data: this.#beats.filter(({ atMs }) => atMs > sinceMs) });
    this.#sendTo([[stream, seesPids]], picture);
  }

  #remove(stream: EventStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tell(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const picture = await this.#options.watch.look();
    this.#isLooking = false;
    this.#sendTo(
      [...this.#streams].filter(([stream]) => !stream.isBehind),
      picture,
    );
  }

  #sendTo(streams: Iterable<[EventStream, boolean]>, { view, ageMs, away }: Picture): void {
    const beat = this.#beats.at(-1);
    const full = JSON.stringify({ view, ageMs, away, beat });
    const counts = JSON.stringify({ view: view && hidePids(view), ageMs, away, beat });
    for (const [stream, seesPids] of streams) {
      stream.sendText("picture", seesPids ? full : counts, beat && `${beat.atMs}-0`);
    }
  }

  get #beats(): readonly Beat[] {
    return this.#options.history.beats;
  }
}

/** Without the names of processes, which are not for everybody. */
export function hidePids(view: ClusterView): ClusterView {
  return { ...view, nodes: view.nodes.map(({ busiest: _, ...node }) => node) };
}
