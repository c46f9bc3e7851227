/** Rows of cells as lines: the first two columns to the left, figures to the right. */
export function alignTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const align = (cell: string, column: number) =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(align).join("  ").trimEnd()).join("\n");
}

/** How often each wrong status or failure came. */
export function formatErrors(errors: Record<string, number>): string {
  const list = Object.entries(errors).map(([error, count]) => `${error} × ${count}`);
  return list.join(", ") || "0";
}
