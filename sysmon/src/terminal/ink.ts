/** How tones look on a given terminal: colours where it has them, and characters beyond ASCII where it shows them. */

import type { Line, Tone } from "../view/line.ts";

export interface Ink {
  hasColour: boolean;
  isAscii: boolean;
}

/** Select Graphic Rendition, with colours and without. */
const TONES: Record<Tone, readonly [colour: string, plain: string]> = {
  plain: ["", ""],
  strong: ["1", "1"],
  quiet: ["2", "2"],
  good: ["32", ""],
  warn: ["33", "1"],
  bad: ["1;31", "1"],
  accent: ["36", ""],
  chosen: ["7", "7"],
  bar: ["7", "7"],
};

const ASCII: Record<string, string> = {
  "…": "~",
  "–": "-",
  "▁": "_",
  "▂": ".",
  "▃": "-",
  "▄": "=",
  "▅": "+",
  "▆": "*",
  "▇": "%",
  "█": "#",
};

/** From the environment: NO_COLOR, TERM, and the locale where it says that it is not UTF-8. */
export function chooseInk(env: Record<string, string | undefined>): Ink {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return {
    hasColour: !env["NO_COLOR"] && !/^vt\d/.test(env["TERM"] ?? ""),
    isAscii: locale !== "" && !/utf-?8/i.test(locale),
  };
}

export function inkRow(line: Line, { hasColour, isAscii }: Ink): string {
  let row = "";
  for (const { text, tone } of line) {
    const code = TONES[tone][hasColour ? 0 : 1];
    const shown = isAscii ? toAscii(text) : text;
    row += code ? `\x1b[${code}m${shown}\x1b[0m` : shown;
  }
  return row;
}

function toAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => ASCII[character] ?? "?");
}
