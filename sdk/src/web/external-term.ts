/**
 * Reads a plain term of Erlang's external format, as `term_to_binary` writes it, into what JSON has: numbers, texts, lists
 * and maps. An atom becomes a text, but for true, false and nil; a tuple becomes a list.
 */

/** What is no such term, or holds one that JSON has no word for. */
export class TermError extends Error {
  override name = "TermError";
}

const VERSION = 131;
const DEEPEST = 100;

export function isExternalTerm(bytes: Buffer): boolean {
  return bytes[0] === VERSION;
}

export function readExternalTerm(bytes: Buffer): unknown {
  const reader = new Reader(bytes);
  if (reader.take(1).readUInt8() !== VERSION) throw new TermError("it does not begin with 131");
  const value = reader.term(0);
  if (!reader.isDone) throw new TermError("bytes are left behind the term");
  return value;
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(count: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + count);
    if (taken.length < count) throw new TermError("it ends too early");
    this.#at += count;
    return taken;
  }

  term(depth: number): unknown {
    if (depth > DEEPEST) throw new TermError(`it is more than ${DEEPEST} deep`);
    const tag = this.#u8();
    switch (tag) {
      case 70:
        return toFinite(this.take(8).readDoubleBE());
      case 97:
        return this.#u8();
      case 98:
        return this.take(4).readInt32BE();
      case 110:
        return this.#integer(this.#u8());
      case 100:
      case 118:
        return toAtom(this.take(this.take(2).readUInt16BE()));
      case 115:
      case 119:
        return toAtom(this.take(this.#u8()));
      case 109:
        return toText(this.take(this.#u32()));
      case 107:
        return [...this.take(this.take(2).readUInt16BE())];
      case 106:
        return [];
      case 108:
        return this.#list(depth);
      case 104:
        return this.#terms(this.#u8(), depth);
      case 105:
        return this.#terms(this.#u32(), depth);
      case 116:
        return this.#map(depth);
      default:
        throw new TermError(`it holds a term of the kind ${tag}, which is not a number, text, list, map or atom`);
    }
  }

  #u8(): number {
    return this.take(1).readUInt8();
  }

  #u32(): number {
    return this.take(4).readUInt32BE();
  }

  #integer(bytes: number): number {
    const isNegative = this.#u8() !== 0;
    const magnitude = this.take(bytes).reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n);
    const value = Number(isNegative ? -magnitude : magnitude);
    if (Number.isSafeInteger(value)) return value;
    throw new TermError("it holds an integer that is too large for JSON");
  }

  #terms(count: number, depth: number): unknown[] {
    const terms: unknown[] = [];
    // One by one: what a count promises need not be there.
    for (let left = count; left > 0; left--) terms.push(this.term(depth + 1));
    return terms;
  }

  #list(depth: number): unknown[] {
    const terms = this.#terms(this.#u32(), depth);
    if (this.#u8() !== 106) throw new TermError("it holds an improper list");
    return terms;
  }

  #map(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let left = this.#u32(); left > 0; left--) {
      const key = this.term(depth + 1);
      if (typeof key !== "string" && typeof key !== "number") throw new TermError("a key is neither text nor number");
      entries.push([String(key), this.term(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }
}

function toFinite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new TermError("it holds a float that is no finite number");
}

function toAtom(bytes: Buffer): string | boolean | null {
  const name = bytes.toString();
  if (name === "nil" || name === "undefined") return null;
  return name === "true" || name === "false" ? name === "true" : name;
}

function toText(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new TermError("it holds a binary that is not text");
  }
}
