/** What each key does that is no act on a process or a function: one line for each deed of the table of keys. */

import type { Tab } from "../view/model.ts";
import type { Act, Deed, FunctionAct } from "./keys.ts";
import type { LogPane } from "./log-pane.ts";
import type { ProcessBrowser } from "./process-browser.ts";

const FAR = 1_000_000;

/** What a key may do. */
export interface Desk {
  leave(): void;
  toggleHelp(): void;
  redraw(): void;
  openTab(tab: Tab): void;
  turnTab(by: number): void;
  move(by: number): void;
  movePage(by: number): void;
  openChosen(): void;
  goBack(): void;
  askPid(): void;
  askFilter(): void;
  browse(change: (browser: ProcessBrowser) => void): void;
  log(change: (pane: LogPane) => void): void;
}

export const DEEDS: Record<Exclude<Deed, Act | FunctionAct>, (desk: Desk) => void> = {
  quit: (desk) => desk.leave(),
  help: (desk) => desk.toggleHelp(),
  redraw: (desk) => desk.redraw(),
  nodes: (desk) => desk.openTab("nodes"),
  processes: (desk) => desk.openTab("processes"),
  process: (desk) => desk.openTab("process"),
  log: (desk) => desk.openTab("log"),
  events: (desk) => desk.openTab("events"),
  functions: (desk) => desk.openTab("functions"),
  nextTab: (desk) => desk.turnTab(1),
  previousTab: (desk) => desk.turnTab(-1),
  up: (desk) => desk.move(-1),
  down: (desk) => desk.move(1),
  pageUp: (desk) => desk.movePage(-1),
  pageDown: (desk) => desk.movePage(1),
  first: (desk) => desk.move(-FAR),
  last: (desk) => desk.move(FAR),
  open: (desk) => desk.openChosen(),
  back: (desk) => desk.goBack(),
  openPid: (desk) => desk.askPid(),
  filter: (desk) => desk.askFilter(),
  sort: (desk) => desk.browse((browser) => browser.nextSort()),
  busiest: (desk) => desk.browse((browser) => browser.toggleBusiest()),
  nextPage: (desk) => desk.browse((browser) => browser.nextPage()),
  previousPage: (desk) => desk.browse((browser) => browser.previousPage()),
  level: (desk) => desk.log((pane) => pane.nextLevel()),
  hold: (desk) => desk.log((pane) => pane.hold()),
};
