/**
 * The picture as it changes: one look a beat while anybody listens, told to all. Each event carries the time of its
 * picture as its id; who comes back with one is told the history since, who comes without one all of it.
 */

import type { ClusterView } from "@genserverless/shared/inspect/views.ts";
import type { Beat, History } from "../history.ts";
import type { Picture, Watch } from "../watch.ts";
import type { EventStream } from "./event-stream.ts";

export interface LiveOptions {
  watch: Pick<Watch, "look">;
  history: Pick<History, "beats">;
  beatMs?: number;
}

export class Live {
  readonly #options: LiveOptions;
  /** Each with whether its reader may see which processes there are. */
  readonly #streams = new Map<EventStream, boolean>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get listeners(): number {
    return this.#streams.size;
  }

  async add(stream: EventStream, seesPids: boolean, lastId: string | undefined): Promise<void> {
    this.#streams.set(stream, seesPids);
    this.#timer ??= setInterval(() => void this.#tell(), this.#options.beatMs ?? 500);
    const picture = await this.#options.watch.look();
    const sinceMs = Number(lastId ?? 0) || 0;
    stream.send(
      "history",
      this.#beats.filter(({ atMs }) => atMs > sinceMs),
    );
    this.#sendTo([[stream, seesPids]], picture);
  }

  remove(stream: EventStream): void {
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
    this.#sendTo(this.#streams, picture);
  }

  #sendTo(streams: Iterable<[EventStream, boolean]>, { view, ageMs, away }: Picture): void {
    const beat = this.#beats.at(-1);
    const full = JSON.stringify({ view, ageMs, away, beat });
    const counts = JSON.stringify({ view: view && hidePids(view), ageMs, away, beat });
    for (const [stream, seesPids] of streams) {
      stream.sendText("picture", seesPids ? full : counts, beat && String(beat.atMs));
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
