/**
 * What happens in a node is said once, as an event with a name and fields. Domain code emits; the node's log, its
 * counters and its consoles listen.
 */

export type EventLevel = "debug" | "info" | "warn" | "error";

export interface ClusterEvent {
  /** Past tense, e.g. `process.claimed`, `session.lost`. */
  name: string;
  level: EventLevel;
  fields: Record<string, unknown>;
}

type Listener = (event: ClusterEvent) => void;

export class Events {
  readonly #listeners = new Set<Listener>();

  emit(level: EventLevel, name: string, fields: Record<string, unknown> = {}): void {
    for (const listen of this.#listeners) listen({ name, level, fields });
  }

  /** Returns what takes the listener away again. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

interface Sink {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export function logEvents(events: Events, log: Sink): () => void {
  return events.listen(({ name, level, fields }) => log[level](fields, name));
}
