/** Rows of cells → lines whose columns stand under each other. */

import { countColumns, crop } from "./printable.ts";

export interface Column {
  title: string;
  align?: "left" | "right";
  /** A longer cell is cropped. */
  atMost?: number;
}

const GAP = "  ";

/** The cells must be printable. */
export function layTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cropped = rows.map((row) => columns.map(({ atMost }, index) => crop(row[index] ?? "", atMost ?? Infinity)));
  const widths = columns.map(({ title }, index) =>
    Math.max(...[title, ...cropped.map((row) => row[index] ?? "")].map(countColumns)),
  );
  return [columns.map(({ title }) => title), ...cropped].map((row) => layRow(columns, widths, row));
}

function layRow(columns: readonly Column[], widths: readonly number[], row: readonly string[]): string {
  return row
    .map((cell, index) => {
      const space = " ".repeat((widths[index] ?? 0) - countColumns(cell));
      return columns[index]?.align === "right" ? space + cell : cell + space;
    })
    .join(GAP)
    .trimEnd();
}
