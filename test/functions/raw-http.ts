/** Requests as they are written: paths that no client would send, headers twice, bodies that come and go in pieces. */

import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import { connect } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { http } from "@genserverless/shared/service/http.ts";

export interface RawRequest {
  method?: string;
  /** Name, value, name, value … */
  headers?: string[];
  body?: string | Buffer;
}

export interface RawAnswer {
  status: number;
  headers: IncomingMessage["headers"];
  rawHeaders: string[];
  body: Buffer;
}

/** Sends the path as it stands, and gives back the whole answer. */
export async function send(url: string, path: string, { body, ...rest }: RawRequest = {}): Promise<RawAnswer> {
  const request = open(url, path, rest);
  const answered = answerOf(request);
  request.end(body);
  const answer = await answered;
  const { statusCode: status = 0, headers, rawHeaders } = answer;
  return { status, headers, rawHeaders, body: await buffer(answer) };
}

/** A request whose body is still to come. */
export function open(url: string, path: string, { method = "GET", headers = [] }: RawRequest = {}): ClientRequest {
  const { hostname, port, host } = new URL(url);
  const named = [...headers, ...(headers.some((name) => /^host$/i.test(name)) ? [] : ["Host", host])];
  return http.request({ hostname, port, path, method, headers: named, agent: false });
}

export async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const [answer] = await once(request, "response");
  return answer as IncomingMessage;
}

/** Sends the bytes and gives back all that comes until the other side closes. */
export async function exchangeBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes, "latin1");
  try {
    return await text(socket);
  } finally {
    socket.destroy();
  }
}
