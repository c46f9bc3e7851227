/** The whole window: a head, the tabs, the open tab's body, and a row for hints, questions and answers. */

import { countColumns, crop, cropStart, toPrintable } from "@genserverless/shared/text/printable.ts";
import { viewFunctions } from "./functions-view.ts";
import { describeHelp, describeHints } from "./help-view.ts";
import { cropLine, fillLine, type Line, line, type Span, scroll, span, spread, tint } from "./line.ts";
import { viewLog } from "./log-view.ts";
import { type Key, type Model, TABS, type Tab } from "./model.ts";
import { viewNodes } from "./nodes-view.ts";
import { viewProcess } from "./process-view.ts";
import { viewProcesses } from "./processes-view.ts";
import { describeRedis } from "./report.ts";

/** Rows that are not the body's. */
const FRAME_ROWS = 3;
/** What is left of the row to type in, where the question is long. */
const TYPING_COLUMNS = 16;
/** Narrower than this, tabs show their numbers only. */
const TAB_NAMES_COLUMNS = 64;

const VIEWS: Record<Tab, (model: Model, width: number, height: number) => Line[]> = {
  nodes: viewNodes,
  processes: viewProcesses,
  process: viewProcess,
  log: ({ log }, width, height) => viewLog(log, width, height),
  events: ({ events }, width, height) => viewLog(events, width, height),
  functions: viewFunctions,
};

export function bodyRows(height: number): number {
  return Math.max(1, height - FRAME_ROWS);
}

/** Exactly `height` lines, each at most `width` columns wide. */
export function viewFrame(model: Model, keys: readonly Key[], width: number, height: number): Line[] {
  const rows = bodyRows(height);
  const body = viewBody(model, keys, width, rows)
    .slice(0, rows)
    .map((each) => cropLine(model.picture.away ? tint(each, "quiet") : each, width));
  while (body.length < rows) body.push(line(""));
  const lines = [viewHead(model, width), viewTabs(model.tab, width), ...body, viewFoot(model, keys, width)];
  // Where there is no room for all, the row that asks is needed more than the tabs.
  if (height < FRAME_ROWS + 1) lines.splice(1, lines.length - Math.max(1, height));
  return lines.slice(0, Math.max(0, height)).map((each) => cropLine(each, width));
}

function viewBody(model: Model, keys: readonly Key[], width: number, rows: number): Line[] {
  if (model.isHelpShown) return scroll(describeHelp(keys, model.tab, width), model.helpTop, rows);
  return VIEWS[model.tab](model, width, rows);
}

function viewHead({ picture, nowMs }: Model, width: number): Line {
  const { view, away } = picture;
  const time = new Date(nowMs).toISOString().slice(11, 19);
  const nodes = view ? `${view.nodes.length} nodes  ` : "";
  const redis = toPrintable(describeRedis(picture));
  if (away || !view) return fillLine([span(` ${redis} `, "bad")], width, "bad");
  return fillLine(
    spread([span(` genserverless  ${nodes}${redis}`, "bar")], [span(`${time}Z `, "bar")], width),
    width,
    "bar",
  );
}

function viewTabs(open: Tab, width: number): Line {
  return TABS.flatMap((tab, index): Span[] => {
    const tone = tab === open ? "chosen" : "quiet";
    if (width < TAB_NAMES_COLUMNS) return [span(` ${index + 1} `, tone)];
    return [span(` ${index + 1} ${tab} `, tone), span(" ")];
  });
}

function viewFoot({ prompt, notice, tab }: Model, keys: readonly Key[], width: number): Line {
  if (prompt) return viewPrompt(prompt.question, prompt.typed, width);
  if (notice) return line(toPrintable(notice.text), notice.isBad ? "bad" : "good");
  return describeHints(keys, tab);
}

/** What is typed is shown from its end: that is where one writes. */
function viewPrompt(question: string, typed: string | undefined, width: number): Line {
  const asked = toPrintable(question);
  if (typed === undefined) return [span(`${crop(asked, width - 8)} y or n`, "warn")];
  const shownQuestion = crop(asked, width - TYPING_COLUMNS);
  const room = Math.max(4, width - countColumns(shownQuestion) - 3);
  return [span(`${shownQuestion} `, "warn"), span(cropStart(toPrintable(typed), room)), span(" ", "chosen")];
}
