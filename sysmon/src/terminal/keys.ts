/** Every key of the dashboard, once: input is looked up here and the help is written from here. */

import type { Key, Tab } from "../view/model.ts";

export type Deed =
  | "quit"
  | "help"
  | "redraw"
  | "nodes"
  | "processes"
  | "process"
  | "log"
  | "events"
  | "functions"
  | "nextTab"
  | "previousTab"
  | "up"
  | "down"
  | "pageUp"
  | "pageDown"
  | "first"
  | "last"
  | "open"
  | "back"
  | "openPid"
  | "filter"
  | "sort"
  | "busiest"
  | "nextPage"
  | "previousPage"
  | "level"
  | "hold"
  | Act
  | FunctionAct;

/** What is done to the chosen process, through the API. */
export type Act =
  | "call"
  | "cast"
  | "info"
  | "start"
  | "pause"
  | "resume"
  | "unquarantine"
  | "skip"
  | "retry"
  | "drop"
  | "stop"
  | "kill";

/** What is done to the chosen function, or its project. */
export type FunctionAct = "tick" | "rollback";

/** Its names are as `nameKey` gives them. */
export interface BoundKey extends Key {
  does: Deed;
}

const LISTS: readonly Tab[] = ["processes"];
const ONE: readonly Tab[] = ["processes", "process"];
const LOGS: readonly Tab[] = ["log", "events"];
const FUNCTIONS: readonly Tab[] = ["functions"];

export const KEYS: readonly BoundKey[] = [
  { keys: ["q", "C-c"], does: "quit", help: "quit", isHinted: true },
  { keys: ["?", "f1"], does: "help", help: "help", isHinted: true },
  { keys: ["1"], does: "nodes", help: "nodes" },
  { keys: ["2"], does: "processes", help: "processes" },
  { keys: ["3"], does: "process", help: "process" },
  { keys: ["4"], does: "log", help: "log" },
  { keys: ["5"], does: "events", help: "events" },
  { keys: ["6"], does: "functions", help: "functions" },
  { keys: ["tab", "right"], does: "nextTab", help: "next tab" },
  { keys: ["S-tab", "left"], does: "previousTab", help: "previous tab" },
  { keys: ["up", "k"], does: "up", help: "up" },
  { keys: ["down", "j"], does: "down", help: "down" },
  { keys: ["pageup"], does: "pageUp", help: "a page up" },
  { keys: ["pagedown", "space"], does: "pageDown", help: "a page down" },
  { keys: ["home", "g"], does: "first", help: "to the top" },
  { keys: ["end", "G"], does: "last", help: "to the end" },
  { keys: ["C-l"], does: "redraw", help: "draw anew" },
  { keys: ["enter"], does: "open", help: "look into it", on: [...LISTS, ...FUNCTIONS], isHinted: true },
  { keys: ["escape"], does: "back", help: "back", on: FUNCTIONS, isHinted: true },
  { keys: ["o"], does: "openPid", help: "look into a pid", on: ONE },
  { keys: ["/"], does: "filter", help: "filter", on: ["processes", "log", "events"], isHinted: true },
  { keys: ["s"], does: "sort", help: "sort this page", on: LISTS, isHinted: true },
  { keys: ["b"], does: "busiest", help: "the busiest, or all", on: LISTS, isHinted: true },
  { keys: ["n"], does: "nextPage", help: "next page", on: LISTS, isHinted: true },
  { keys: ["p"], does: "previousPage", help: "page before", on: LISTS },
  { keys: ["l"], does: "level", help: "least level", on: LOGS, isHinted: true },
  { keys: ["h"], does: "hold", help: "hold, or go on", on: LOGS, isHinted: true },
  { keys: ["c"], does: "call", help: "call", on: ONE },
  { keys: ["a"], does: "cast", help: "cast", on: ONE },
  { keys: ["i"], does: "info", help: "info", on: ONE },
  { keys: ["N"], does: "start", help: "start a process", on: ONE },
  { keys: ["P"], does: "pause", help: "pause", on: ONE, asks: "Pause {pid}?" },
  { keys: ["R"], does: "resume", help: "resume", on: ONE },
  { keys: ["U"], does: "unquarantine", help: "out of quarantine", on: ONE, asks: "Let {pid} go on?" },
  { keys: ["S"], does: "skip", help: "skip what is next", on: ONE, asks: "Drop what {pid} would handle next?" },
  { keys: ["T"], does: "retry", help: "retry dead letters", on: ONE, asks: "Retry all dead letters of {pid}?" },
  { keys: ["D"], does: "drop", help: "drop dead letters", on: ONE, asks: "Drop all dead letters of {pid}?" },
  { keys: ["X"], does: "stop", help: "stop", on: ONE, asks: "Stop {pid}?" },
  { keys: ["K"], does: "kill", help: "kill", on: ONE, asks: "Kill {pid} without terminate?" },
  { keys: ["t"], does: "tick", help: "run a function now", on: FUNCTIONS, isHinted: true },
  { keys: ["B"], does: "rollback", help: "roll its project back", on: FUNCTIONS, asks: "Roll {project} back?" },
];

export function findKey(name: string, tab: Tab): BoundKey | undefined {
  return KEYS.find(({ keys, on }) => keys.includes(name) && (!on || on.includes(tab)));
}

/** blessed's description of a key. */
export interface Keypress {
  name?: string | undefined;
  full?: string | undefined;
  ctrl?: boolean | undefined;
  meta?: boolean | undefined;
}

/** `q`, `K`, `/`, `C-c`, `enter`, `S-tab`; empty where it is not a key to act on. */
export function nameKey(character: string | undefined, { name, full, ctrl, meta }: Keypress): string {
  // blessed tells the Enter key twice, as enter and as return.
  if (name === "return") return "";
  if (name === "linefeed") return "enter";
  if (character === " ") return "space";
  if (character && !ctrl && !meta && isPrinted(character)) return character;
  return full ?? name ?? "";
}

/** What a key adds to a text that is being typed. */
export function isPrinted(character: string | undefined): character is string {
  return character !== undefined && /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(character);
}
