/**
 * One connection of the load client that speaks gRPC, as HttpConnection speaks HTTP/1.1: one unary call at a time, over
 * HTTP/2 of its own. A status of gRPC is told as an HTTP status: 200 for OK, else 500 and the status as the failure.
 */

import { type ClientHttp2Session, connect } from "node:http2";
import type { Answered, Connection } from "./load.ts";

export interface GrpcRequest {
  /** `/package.Service/Method` */
  path: string;
  /** Length-prefixed, as it goes over the wire. */
  frame: Buffer;
}

const SILENCE_MS = 30_000;
const PREFIX_BYTES = 5;

/** `message` is the bytes of the request message. */
export function unaryRequest(path: string, message: Uint8Array): GrpcRequest {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return { path, frame };
}

export class GrpcConnection implements Connection<GrpcRequest> {
  readonly #url: string;
  #session: ClientHttp2Session | undefined;

  constructor({ host, port }: { host: string; port: number }) {
    this.#url = `http://${host}:${port}`;
  }

  send({ path, frame }: GrpcRequest, answered: Answered): void {
    this.#session ??= this.#open();
    const stream = this.#session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let status = "";
    let failure = "";
    stream.setTimeout(SILENCE_MS, () => stream.close());
    stream.on("response", (headers) => {
      status = String(headers["grpc-status"] ?? "");
    });
    stream.on("trailers", (trailers) => {
      status = String(trailers["grpc-status"] ?? status);
    });
    stream.on("error", (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    stream.on("close", () => (status === "0" ? answered(200) : answered(500, failure || `grpc ${status || "silent"}`)));
    stream.resume();
    stream.end(frame);
  }

  close(): void {
    this.#session?.close();
  }

  #open(): ClientHttp2Session {
    const session = connect(this.#url);
    const forget = () => {
      if (this.#session === session) this.#session = undefined;
    };
    session.on("error", forget);
    session.on("close", forget);
    return session;
  }
}
