/** What became of each message, for whoever waits for it, now or when its turn runs again. */

export type Outcome =
  | { readonly status: "done"; readonly replyText: string | undefined }
  | { readonly status: "failed" | "dropped"; readonly error: { readonly code: string; readonly detail: string } };

type Listener = (outcome: Outcome) => void;

export class Outcomes {
  readonly #known = new Map<string, Outcome>();
  readonly #listeners = new Map<string, Listener[]>();

  find(id: string): Outcome | undefined {
    return this.#known.get(id);
  }

  /** The first outcome of a message counts. */
  settle(id: string, outcome: Outcome): void {
    if (this.#known.has(id)) return;
    this.#known.set(id, outcome);
    const listeners = this.#listeners.get(id) ?? [];
    this.#listeners.delete(id);
    for (const listen of listeners) listen(outcome);
  }

  /** Tells the outcome, at once where it is known. Returns what ends the waiting. */
  listen(id: string, listener: Listener): () => void {
    const known = this.#known.get(id);
    if (known) {
      listener(known);
      return () => {};
    }
    this.#listeners.set(id, [...(this.#listeners.get(id) ?? []), listener]);
    return () => {
      const left = (this.#listeners.get(id) ?? []).filter((other) => other !== listener);
      this.#listeners.set(id, left);
    };
  }
}

export function done(replyText: string | undefined): Outcome {
  return { status: "done", replyText };
}

export function failed(code: string, detail: string): Outcome {
  return { status: "failed", error: { code, detail } };
}

export function dropped(code: string, detail: string): Outcome {
  return { status: "dropped", error: { code, detail } };
}
