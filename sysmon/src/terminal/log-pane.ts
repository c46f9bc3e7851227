/**
 * The memory of the log and events tabs: a ring of what was told last, what is let through of it, and how far back one
 * looks. While it is held, or one looks back, new entries do not move what is seen.
 */

import { LOG_LEVELS, type LogEntry, type LogLevel, passes } from "@genserverless/shared/logs/log-entry.ts";
import type { LogModel } from "../view/model.ts";

const MOST = 2_000;
const FILTERED_FIELDS = ["pid", "node", "module"] as const;

export class LogPane {
  #entries: LogEntry[] = [];
  #shown: LogEntry[] = [];
  #filter = "";
  #level: LogLevel = "info";
  #isHeld = false;
  #back = 0;

  add(entry: LogEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > MOST) this.#entries.splice(0, MOST / 10);
    if (this.#isHeld || !this.#isWanted(entry)) return;
    this.#shown.push(entry);
    if (this.#shown.length > MOST) this.#shown.splice(0, MOST / 10);
    if (this.#back > 0) this.#back = Math.min(this.#shown.length, this.#back + 1);
  }

  get model(): LogModel {
    return {
      entries: this.#shown,
      filter: this.#filter,
      level: this.#level,
      isHeld: this.#isHeld,
      back: this.#back,
    };
  }

  /** Up is further back. `room` is how many entries are seen. */
  move(by: number, room: number): void {
    this.#back = Math.max(0, Math.min(this.#shown.length - room, this.#back - by));
  }

  hold(): void {
    this.#isHeld = !this.#isHeld;
    if (!this.#isHeld) this.#choose();
  }

  nextLevel(): void {
    this.#level = LOG_LEVELS[(LOG_LEVELS.indexOf(this.#level) + 1) % LOG_LEVELS.length] ?? "info";
    this.#choose();
  }

  filter(text: string): void {
    this.#filter = text.trim();
    this.#choose();
  }

  #choose(): void {
    this.#shown = this.#entries.filter((entry) => this.#isWanted(entry));
    this.#back = 0;
  }

  #isWanted(entry: LogEntry): boolean {
    if (!passes(entry, { level: this.#level })) return false;
    return this.#filter.split(/\s+/).every((word) => matchesWord(entry, word));
  }
}

function matchesWord(entry: LogEntry, word: string): boolean {
  const field = FILTERED_FIELDS.find((name) => word.startsWith(`${name}=`));
  if (field) return String(entry[field] ?? "").includes(word.slice(field.length + 1));
  return word === "" || JSON.stringify(entry).includes(word);
}
