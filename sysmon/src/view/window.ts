/** Lines → what of them fits a window of `columns` × `rows`, its last row kept free for the cursor. */

import { crop } from "@genserverless/shared/text/printable.ts";

export function fitWindow(lines: readonly string[], columns: number, rows: number): string[] {
  const room = Math.max(1, rows - 1);
  const hidden = lines.length - room;
  const shown = hidden > 0 ? [...lines.slice(0, room - 1), `… ${hidden + 1} more lines`] : lines;
  return shown.map((line) => crop(line, columns));
}
