/**
 * Reads what a sandbox prints, line by line. Lines that are too long are cut, what comes too fast is left out and
 * counted, and beyond that the stream is not read at all for a while: whoever prints without end waits.
 */

import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

const LONGEST_LINE = 8_192;
const WINDOW_MS = 250;
const MOST_KEPT_BYTES = 64 * 1_024;
const MOST_KEPT_LINES = 250;
const MOST_READ_BYTES = 4 * 1_024 * 1_024;

/** Calls `onLine` for each; `onDropped` with how many bytes were left out. */
export function readOutput(stream: Readable, onLine: (text: string) => void, onDropped: (bytes: number) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  let [read, kept, lines, dropped] = [0, 0, 0, 0];
  const window = setInterval(() => {
    if (dropped > 0) onDropped(dropped);
    [read, kept, lines, dropped] = [0, 0, 0, 0];
    stream.resume();
  }, WINDOW_MS).unref();
  const tell = (line: string) => {
    lines++;
    onLine(line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line);
  };
  stream.on("data", (chunk: Buffer) => {
    read += chunk.length;
    if (read > MOST_READ_BYTES) stream.pause();
    if (kept + chunk.length > MOST_KEPT_BYTES || lines > MOST_KEPT_LINES) {
      dropped += chunk.length;
      return;
    }
    kept += chunk.length;
    const parts = (rest + decoder.write(chunk)).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > LONGEST_LINE) rest = `${rest.slice(0, LONGEST_LINE)}…`;
    for (const part of parts) {
      if (lines <= MOST_KEPT_LINES) tell(part);
      else dropped += part.length + 1;
    }
  });
  stream.on("error", () => {});
  stream.once("close", () => {
    clearInterval(window);
    if (rest !== "") tell(rest);
    if (dropped > 0) onDropped(dropped);
  });
}
