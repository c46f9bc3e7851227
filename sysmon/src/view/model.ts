/** All that the full-screen dashboard shows, as data. The views are pure functions of it and of the window's size. */

import type { FunctionView, LogLine } from "@genserverless/shared/functions/views.ts";
import type { DeadLetter, MailboxPeek, ProcessView } from "@genserverless/shared/inspect/views.ts";
import type { LogEntry } from "@genserverless/shared/logs/log-entry.ts";
import type { FunctionsView } from "../functions.ts";
import type { Beat } from "../history.ts";
import type { Picture } from "../watch.ts";
import type { Outline } from "./json-outline.ts";

export const TABS = ["nodes", "processes", "process", "log", "events", "functions"] as const;
export type Tab = (typeof TABS)[number];

/** A key, or several that do the same, as the help tells it. */
export interface Key {
  keys: readonly string[];
  help: string;
  /** Where it works; everywhere, where it is absent. */
  on?: readonly Tab[];
  /** Shown in the last row. */
  isHinted?: boolean;
  /** Destructive: what is asked before. `{pid}` is the chosen process, `{project}` the chosen function's. */
  asks?: string;
}

export interface Model {
  tab: Tab;
  picture: Picture;
  history: readonly Beat[];
  /** ms since the epoch. */
  nowMs: number;
  processes: ProcessesModel;
  process: ProcessModel;
  log: LogModel;
  events: LogModel;
  functions: FunctionsModel;
  /** First row shown of the nodes tab. */
  nodesTop: number;
  isHelpShown: boolean;
  /** First row shown of the help. */
  helpTop: number;
  prompt: PromptModel | undefined;
  notice: Notice | undefined;
}

export interface PromptModel {
  question: string;
  /** What has been typed; absent where yes or no is asked. */
  typed?: string;
}

export interface Notice {
  text: string;
  isBad: boolean;
}

export interface ProcessRow extends ProcessView {
  /** Absent until the row has been read twice. */
  turnsPerS?: number;
  lastError?: string;
}

export interface ProcessesModel {
  rows: readonly ProcessRow[];
  chosen: number;
  /** The first is 1. */
  page: number;
  hasNext: boolean;
  filter: string;
  sort: string;
  /** The busiest of the last beat in place of pages of all. */
  isBusiest: boolean;
  isLoaded: boolean;
  error: string | undefined;
}

export interface Commit {
  /** ms since the epoch. */
  atMs: number;
  revision: number;
  turns: number;
  /** What was handled, e.g. `cast done`. */
  messages: readonly string[];
}

export interface Ties {
  timers: readonly { name: string; dueAtMs: number; goesOn: string }[];
  monitors: readonly string[];
  links: readonly string[];
  groups: readonly string[];
  /** Bytes of the state as it is stored. */
  stateBytes: number;
}

export interface ProcessModel {
  pid: string | undefined;
  view: ProcessView | undefined;
  ties: Ties | undefined;
  state: Outline | undefined;
  mailbox: MailboxPeek | undefined;
  /** Messages waiting, as seen while the tab was open. */
  depths: readonly number[];
  deadLetters: readonly DeadLetter[];
  commits: readonly Commit[];
  top: number;
  error: string | undefined;
}

export interface LogModel {
  /** The oldest first; those that the filter lets through. */
  entries: readonly LogEntry[];
  filter: string;
  level: string;
  isHeld: boolean;
  /** Rows scrolled back from the end. */
  back: number;
}

export interface FunctionsModel {
  /** Absent until it could be read. */
  view: FunctionsView | undefined;
  /** Which function, counted through all projects; -1 where there is none. */
  chosen: number;
  /** The function that one looks into. */
  page: FunctionPageModel | undefined;
  error: string | undefined;
}

export interface FunctionPageModel {
  project: string;
  name: string;
  view: FunctionView | undefined;
  /** The oldest first. */
  lines: readonly LogLine[];
  /** Lines scrolled back from the end of the log. */
  back: number;
  error: string | undefined;
}
