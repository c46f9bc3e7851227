/** As much of the Redis protocol (RESP2 and RESP3) as it takes to see where one command or one answer ends. */

const CR = 13;
const SIMPLE = "+-:_#,(";
const SIZED = "$=!";
const COUNTED = "*~>";

/** Cuts a stream into whole frames: one command in one direction, one answer or push in the other. */
export class FrameCutter {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): Buffer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Buffer[] = [];
    let start = 0;
    for (let end = frameEnd(bytes, 0); end !== -1; end = frameEnd(bytes, start)) {
      frames.push(bytes.subarray(start, end));
      start = end;
    }
    this.#rest = bytes.subarray(start);
    return frames;
  }
}

/** Where the frame that begins at `start` ends, or -1 while it is not whole. */
function frameEnd(bytes: Buffer, start: number): number {
  let position = start;
  for (let values = 1; values > 0; ) {
    const line = lineEnd(bytes, position);
    if (line === -1) return -1;
    const type = String.fromCharCode(bytes[position] ?? 0);
    const size = Number(bytes.toString("latin1", position + 1, line));
    position = line + 2;
    if (SIMPLE.includes(type)) values -= 1;
    else if (SIZED.includes(type)) {
      position += size < 0 ? 0 : size + 2;
      values -= 1;
    } else if (COUNTED.includes(type)) values += Math.max(size, 0) - 1;
    else if (type === "%") values += 2 * size - 1;
    // An attribute stands in front of the value that it describes.
    else if (type === "|") values += 2 * size;
    // Anything else is a command in one line, as a person types it.
    else values -= 1;
    if (position > bytes.length) return -1;
  }
  return position;
}

function lineEnd(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(CR, from);
  return at === -1 || at + 1 >= bytes.length ? -1 : at;
}

/** The leading texts of an array or push frame: the words of a command, or what a pub/sub message says it is. */
export function readTexts(frame: Buffer, most = Number.POSITIVE_INFINITY): string[] {
  if (!"*>".includes(String.fromCharCode(frame[0] ?? 0))) {
    return frame.toString("latin1", 0, frame.length).trim().split(/\s+/);
  }
  const head = lineEnd(frame, 0);
  const count = Math.min(Number(frame.toString("latin1", 1, head)), most);
  const texts: string[] = [];
  for (let position = head + 2; texts.length < count; ) {
    const line = lineEnd(frame, position);
    if (frame[position] !== "$".charCodeAt(0) || line === -1) break;
    const size = Number(frame.toString("latin1", position + 1, line));
    texts.push(frame.toString("utf8", line + 2, line + 2 + size));
    position = line + 2 + size + 2;
  }
  return texts;
}

/** A command on its way to Redis. */
export class Command {
  readonly bytes: Buffer;
  /** Upper case, e.g. `EVALSHA`. */
  readonly name: string;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.name = readTexts(bytes, 1)[0]?.toUpperCase() ?? "";
  }

  /** All its words, the name first. */
  get words(): string[] {
    return readTexts(this.bytes);
  }
}
