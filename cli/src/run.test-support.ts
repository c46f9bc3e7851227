/** One run of the command line inside a test, against a server that answers as the test says. */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { run } from "./run.ts";
import type { Io } from "./settings.ts";

export type Serve = (request: IncomingMessage, response: ServerResponse, body: string) => void;

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** `terminal` names the streams that say they are one. */
export interface RunOptions {
  input?: string | Readable;
  /** Told what stdout has got until then. */
  onOutput?: (stdout: string) => void;
  env?: Record<string, string>;
  terminal?: ("stdin" | "stdout" | "stderr")[];
}

export async function runIn(options: RunOptions, ...args: string[]): Promise<Ran> {
  const { input = "", env = {}, terminal = [], onOutput = () => {} } = options;
  const written = { stdout: "", stderr: "" };
  const into = (name: keyof typeof written) => {
    const decoder = new TextDecoder();
    const stream = new Writable({
      write(chunk, _encoding, done) {
        written[name] += decoder.decode(chunk, { stream: true });
        onOutput(written.stdout);
        done();
      },
    });
    return Object.assign(stream, { isTTY: terminal.includes(name) });
  };
  const bytes = input instanceof Readable ? input : Readable.from(input === "" ? [] : [input]);
  const stdin = Object.assign(bytes, { isTTY: terminal.includes("stdin") });
  const io: Io = { stdin, stdout: into("stdout"), stderr: into("stderr"), env };
  return { code: await run(args, io), ...written };
}

export interface AgainstOptions extends RunOptions {
  /** Whether a request is read before it is answered, as it is unless given. */
  readsBody?: boolean;
}

/** Each request is answered by the next of the answers; their lines are `method path`. */
export async function runAgainst(
  answers: Serve[],
  { readsBody = true, ...options }: AgainstOptions,
  ...args: string[]
) {
  const requests: { line: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (request, response) => {
    const serve = answers.shift();
    const body = readsBody ? await text(request).catch(() => "") : "";
    requests.push({ line: `${request.method} ${request.url}`, headers: request.headers, body });
    serve?.(request, response, body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const ran = await runIn({ ...options, env: { GENSERVERLESS_URL: url, ...options.env } }, ...args);
    return { ...ran, url, requests };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

export function answer(status: number, body: object, headers: Record<string, string> = {}): Serve {
  return (_request, response) =>
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export function events(...sent: [event: string, data: object][]): Serve {
  const texts = sent.map(([event, data], at) => `event: ${event}\nid: 0-${at + 1}\ndata: ${JSON.stringify(data)}\n\n`);
  return (_request, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end(texts.join(""));
}
