/** Rows of cells → lines of at most `width` columns: columns shrink as far as they may, then the least needed ones go. */

import { countColumns, crop } from "@genserverless/shared/text/printable.ts";
import { type Line, type Span, span } from "./line.ts";

export interface GridColumn {
  title: string;
  align?: "left" | "right";
  /** A longer cell is cropped. */
  atMost?: number;
  /** How narrow it may become; by default it keeps the width of its widest cell. */
  least?: number;
  /** Columns with a higher number go first where there is no room for all; one without stays. */
  goes?: number;
}

export interface Grid {
  head: Line;
  rows: Line[];
}

const GAP = 2;

/** `rows` has a span for each column. The cells must be printable. */
export function layGrid(columns: readonly GridColumn[], rows: readonly (readonly Span[])[], width: number): Grid {
  const shown = dropColumns(
    columns.map((column, index) => measure(column, index, rows)),
    width,
  );
  growColumns(shown, width);
  const lay = (cells: readonly Span[]): Line =>
    shown.flatMap(({ column, index, width }, place) => {
      const cell = cells[index] ?? span("");
      const text = fit(cell.text, width, column.align === "right");
      return place === 0 ? [span(text, cell.tone)] : [span(" ".repeat(GAP)), span(text, cell.tone)];
    });
  return { head: lay(columns.map(({ title }) => span(title, "strong"))), rows: rows.map(lay) };
}

interface Measured {
  column: GridColumn;
  index: number;
  width: number;
  /** Of its widest cell. */
  wanted: number;
}

function measure(column: GridColumn, index: number, rows: readonly (readonly Span[])[]): Measured {
  const { title, atMost = Infinity, least = Infinity } = column;
  let wanted = countColumns(title);
  for (const row of rows) wanted = Math.max(wanted, Math.min(atMost, countColumns(row[index]?.text ?? "")));
  return { column, index, width: Math.min(wanted, least), wanted };
}

function total(columns: readonly Measured[]): number {
  return columns.reduce((sum, { width }) => sum + width + GAP, -GAP);
}

function dropColumns(columns: readonly Measured[], width: number): Measured[] {
  let kept = [...columns];
  while (total(kept) > width) {
    const last = Math.max(...kept.map(({ column }) => column.goes ?? 0));
    if (last === 0) break;
    kept = kept.filter(({ column }) => column.goes !== last);
  }
  return kept;
}

/** What room is left goes to the columns that stay longest first. */
function growColumns(columns: readonly Measured[], width: number): void {
  let room = Math.max(0, width - total(columns));
  for (const column of columns.toSorted((a, b) => (a.column.goes ?? 0) - (b.column.goes ?? 0))) {
    const more = Math.min(room, column.wanted - column.width);
    column.width += more;
    room -= more;
  }
}

function fit(text: string, width: number, isRight: boolean): string {
  const cropped = crop(text, width);
  const space = " ".repeat(Math.max(0, width - countColumns(cropped)));
  return isRight ? space + cropped : cropped + space;
}
