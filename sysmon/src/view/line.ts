/** A line of the terminal as spans of text, each with a tone. What colours a tone has is the terminal's affair. */

import { countColumns, crop } from "@genserverless/shared/text/printable.ts";

export type Tone = "plain" | "strong" | "quiet" | "good" | "warn" | "bad" | "accent" | "chosen" | "bar";

export interface Span {
  /** Printable. */
  text: string;
  tone: Tone;
}

export type Line = readonly Span[];

export function span(text: string, tone: Tone = "plain"): Span {
  return { text, tone };
}

export function line(text: string, tone: Tone = "plain"): Line {
  return [span(text, tone)];
}

export function textOf(line: Line): string {
  return line.map(({ text }) => text).join("");
}

/** As much of the line as `columns` hold, with `…` where there was more. */
export function cropLine(line: Line, columns: number): Line {
  if (countColumns(textOf(line)) <= columns) return line;
  const kept: Span[] = [];
  let left = columns;
  for (const { text, tone } of line) {
    const width = countColumns(text);
    // One column is kept for the ellipsis.
    if (width >= left) {
      kept.push({ text: crop(width === left ? `${text}…` : text, left), tone });
      break;
    }
    kept.push({ text, tone });
    left -= width;
  }
  return kept;
}

/** The line over the whole width, its rest in `tone`. */
export function fillLine(line: Line, columns: number, tone: Tone = "plain"): Line {
  const cropped = cropLine(line, columns);
  const rest = columns - countColumns(textOf(cropped));
  return rest > 0 ? [...cropped, span(" ".repeat(rest), tone)] : cropped;
}

/** The same words in one tone. */
export function tint(line: Line, tone: Tone): Line {
  return [span(textOf(line), tone)];
}

/** `left` and, where there is room, `right` at the end of the row. */
export function spread(left: Line, right: Line, columns: number): Line {
  const space = columns - countColumns(textOf(left)) - countColumns(textOf(right));
  return space > 0 ? [...left, span(" ".repeat(space), left.at(-1)?.tone), ...right] : cropLine(left, columns);
}

/** At most `height` of the rows from `top` on, and never past the end. */
export function scroll(rows: readonly Line[], top: number, height: number): Line[] {
  const from = Math.max(0, Math.min(top, rows.length - height));
  return rows.slice(from, from + Math.max(0, height));
}
