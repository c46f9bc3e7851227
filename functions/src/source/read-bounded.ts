import { type Readable, Transform } from "node:stream";

/** What a stream says, up to a number of bytes; what comes after is discarded, and told once by `overflow`. */
export function readBounded(stream: Readable, mostBytes: number): Transform {
  let left = mostBytes;
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const taken = chunk.subarray(0, left);
      if (taken.length < chunk.length && left >= 0) {
        left = -1;
        bounded.emit("overflow");
      } else if (left > 0) left -= taken.length;
      done(null, left < 0 && taken.length === 0 ? undefined : taken);
    },
  });
  return stream.pipe(bounded);
}
