/**
 * JSON and text as a terminal may see them. What the cluster sends may hold characters that move a cursor or turn a line round;
 * in JSON they are written as escapes, which mean the same to whoever parses it.
 */

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** What is told in one line may be this long. */
const ONE_LINE = 100;

/** On one line. */
export function writeJson(value: unknown): string {
  return escapeText(JSON.stringify(value) ?? "null");
}

/** For people: on one line where it is short, else indented. */
export function writeReadableJson(value: unknown): string {
  const line = writeJson(value);
  if (line.length <= ONE_LINE) return line;
  return JSON.stringify(value, null, 2).split("\n").map(escapeText).join("\n");
}

/** Every character that is not to be shown becomes `\u…`; line ends too. */
export function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}
