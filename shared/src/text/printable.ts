/**
 * Text as a terminal may see it. Names come from other machines: a control character in one could move the cursor or
 * turn the line round, so each is shown as `?`. Widths are counted in terminal columns, not in characters.
 */

// Controls, format characters (zero width, bidirectional), line and paragraph separators, lone surrogates.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const MARK = /^\p{M}$/u;
const WIDE =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60]$/u;

export function toPrintable(text: string): string {
  return text.replace(UNPRINTABLE, "?");
}

export function countColumns(text: string): number {
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
}

/** The text itself where it fits into `columns`, else as much of it as does, with `…` at its end. */
export function crop(text: string, columns: number): string {
  if (countColumns(text) <= columns) return text;
  let kept = "";
  let used = 1;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns) break;
    kept += character;
  }
  return columns > 0 ? `${kept}…` : "";
}

/** The text itself where it fits into `columns`, else as much of its end as does, behind `…`. */
export function cropStart(text: string, columns: number): string {
  if (countColumns(text) <= columns) return text;
  let kept = "";
  let used = 1;
  for (const character of [...text].reverse()) {
    used += columnsOf(character);
    if (used > columns) break;
    kept = character + kept;
  }
  return columns > 0 ? `…${kept}` : "";
}

function columnsOf(character: string): number {
  if (MARK.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
