/** The help: every key of the table, those of the open tab first. */

import { type Line, line, span } from "./line.ts";
import { type Key, TABS, type Tab } from "./model.ts";

const CELL_COLUMNS = 40;
const NAMES_COLUMNS = 15;

export function describeHelp(keys: readonly Key[], tab: Tab, width: number): Line[] {
  const here = keys.filter(({ on }) => on?.includes(tab));
  const everywhere = keys.filter(({ on }) => !on);
  const elsewhere = keys.filter(({ on }) => on && !on.includes(tab));
  return [
    ...describeGroup(`IN ${tab.toUpperCase()}`, here, width),
    ...describeGroup("EVERYWHERE", everywhere, width),
    ...describeGroup("IN OTHER TABS", elsewhere, width),
    line(""),
    line("A filter of processes is module=… status=… owner=… tag=…, or a module's name;", "quiet"),
    line("one of the log is pid=… node=… module=…, or words.", "quiet"),
    line("Acts go through the cluster's HTTP API; those with ! ask first.", "quiet"),
  ];
}

function describeGroup(title: string, keys: readonly Key[], width: number): Line[] {
  if (keys.length === 0) return [];
  const abreast = Math.max(1, Math.floor(width / CELL_COLUMNS));
  const rows: Line[] = [];
  for (let at = 0; at < keys.length; at += abreast) {
    rows.push(keys.slice(at, at + abreast).flatMap(describeKey));
  }
  return [line(title, "strong"), ...rows, line("")];
}

function describeKey({ keys, help, asks }: Key): Line {
  const names = keys.join(" ");
  const words = asks ? `${help} !` : help;
  return [span(names.padEnd(NAMES_COLUMNS), "accent"), span(words.padEnd(CELL_COLUMNS - NAMES_COLUMNS))];
}

/** The last row: the tabs' keys and those that are hinted at. */
export function describeHints(keys: readonly Key[], tab: Tab): Line {
  const hinted = keys.filter(({ on, isHinted }) => isHinted && (!on || on.includes(tab)));
  return [
    span(`1-${TABS.length} `, "accent"),
    span("tabs  ", "quiet"),
    ...hinted.flatMap(({ keys, help }) => [span(`${keys[0]} `, "accent"), span(`${help}  `, "quiet")]),
  ];
}
