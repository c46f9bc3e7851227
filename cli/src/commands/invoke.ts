/**
 * invoke: a request to an http function, whose answer is streamed to standard output; or a run of a cron function. What the function
 * answers is its own, also with an error: the body is printed, and the exit code is 1.
 */

import { isUtf8 } from "node:buffer";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { toPrintable } from "@genserverless/shared/text/printable.ts";
import { type Command, InvalidArgumentError } from "commander";
import { toProblem } from "genserverless/transport.ts";
import type { Dispatcher } from "undici";
import { type Outgoing, readText } from "../door.ts";
import { Refused, WrongUsage } from "../failure.ts";
import { escapeText, writeJson } from "../json-text.ts";
import type { Session } from "../session.ts";
import { addExamples, type Run } from "./command.ts";

interface InvokeFlags {
  request?: string;
  header?: [name: string, value: string][];
  data?: string;
  tick?: boolean;
}

/** Set by the functions service where the answer is the function's own. */
const OWN = "x-function-cold-start";

export function addInvoke(program: Command, run: Run): void {
  const invoke = program
    .command("invoke")
    .description("Sends a request to an http function and prints its answer; 1 where the status is 400 or more.")
    .argument("<project>", "its name, USER-REPO")
    .argument("<function>", "its name")
    .argument("[path]", "what the function sees, with its query, e.g. /orders?open=1")
    .option("-X, --request <method>", "GET, or POST with --data", readMethod)
    .option("-H, --header <header>", "'Name: value'; may be repeated", readHeader)
    .option("-d, --data <data>", "the body; @file for a file, - for standard input")
    .option("--tick", "runs a cron function now, and prints the id of the run")
    .action(run(invokeFunction));
  addExamples(
    invoke,
    "invoke alice-shop API",
    "invoke alice-shop API '/orders?open=1' -X PUT -H 'x-customer: 7' -d '{\"add\":20}'",
    "echo hello | genserverless invoke alice-shop API -d -",
    "invoke alice-shop Ticker --tick",
  );
}

async function invokeFunction(
  session: Session,
  project: string,
  name: string,
  path: string | undefined,
  flags: InvokeFlags,
): Promise<void> {
  if (flags.tick) return tick(session, project, name, path, flags);
  const request = await readRequest(session, pathOf(project, name, path), flags);
  try {
    const status = await exchange(session, request);
    if (status >= 400) throw new Refused(`${project}/${name} answered ${status}`);
  } finally {
    // An answer may come before the end of what is sent, which nobody waits for then.
    if (typeof request.body === "object") request.body.destroy();
  }
}

/** Prints the function's answer. Throws where it is not the function's own. */
async function exchange(session: Session, request: Outgoing): Promise<number> {
  const response = await session.door.begin(request);
  const { statusCode, headers } = response;
  if (headers[OWN] === undefined) throw toProblem(response, await readText(response), undefined);
  if (session.output.isJson) await printWhole(session, response);
  else await printBody(session, response);
  return statusCode;
}

async function tick(
  { functions, output }: Session,
  project: string,
  name: string,
  path: string | undefined,
  { request, header, data }: InvokeFlags,
): Promise<void> {
  const given = [path, request, header, data].some((value) => value !== undefined);
  if (given) throw new WrongUsage("--tick runs a cron function: no path, method, header or data");
  const answer = await functions.tick(project, name);
  output.answer(answer, () => toPrintable(answer.run));
}

/** Whatever the path is, it stays below the function. */
function pathOf(project: string, name: string, path = ""): string {
  const own = `/invoke/${encodeURIComponent(project)}/${encodeURIComponent(name)}`;
  const given = path === "" || /^[/?]/.test(path) ? path : `/${path}`;
  const { pathname, search } = new URL(`http://host${own}${given}`);
  if (pathname === own || pathname.startsWith(`${own}/`)) return pathname + search;
  throw new WrongUsage(`the path ${JSON.stringify(path)} leads out of the function`);
}

/** There is no time within which a function must answer but its own. */
async function readRequest(
  { io }: Session,
  path: string,
  { request, header = [], data }: InvokeFlags,
): Promise<Outgoing> {
  const headers = Object.fromEntries(header);
  const method = request ?? (data === undefined ? "GET" : "POST");
  if (data === undefined) return { method, path, headers, headMs: 0 };
  const body = data === "-" ? io.stdin : data.startsWith("@") ? await openFile(data.slice(1)) : data;
  return { method, path, headers: { "content-type": typeOf(body), ...headers }, body, headMs: 0 };
}

async function openFile(file: string): Promise<Readable> {
  const handle = await open(file).catch((error: Error) => {
    throw new WrongUsage(error.message);
  });
  if ((await handle.stat()).isDirectory()) {
    await handle.close();
    throw new WrongUsage(`${file} is a folder`);
  }
  return handle.createReadStream();
}

/** Of what is typed: JSON where it is an object, a list or a text of JSON. */
function typeOf(body: string | Readable): string {
  if (typeof body !== "string") return "application/octet-stream";
  return /^\s*[[{"]/.test(body) && isJson(body) ? "application/json" : "text/plain; charset=utf-8";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** As it comes. On a terminal without what could move a cursor; elsewhere byte by byte. */
async function printBody({ io, output }: Session, { body }: Dispatcher.ResponseData): Promise<void> {
  const decoder = output.isTerminal ? new TextDecoder() : undefined;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      io.stdout.write(decoder ? escapeLines(decoder.decode(chunk, { stream: true })) : chunk);
      await output.drained();
    }
  } catch (error) {
    throw new Refused(`the answer broke off: ${(error as Error).message}`);
  }
}

function escapeLines(text: string): string {
  return text
    .split(/(\r?\n|\t)/)
    .map((part, at) => (at % 2 === 1 ? part : escapeText(part)))
    .join("");
}

/** With --json: what is no text is written in base64. */
async function printWhole({ output }: Session, { statusCode, headers, body }: Dispatcher.ResponseData): Promise<void> {
  const bytes = Buffer.from(await body.arrayBuffer());
  const told = isUtf8(bytes) ? { body: bytes.toString() } : { bodyBase64: bytes.toString("base64") };
  output.line(writeJson({ status: statusCode, headers, ...told }));
}

function readMethod(text: string): string {
  if (/^[A-Za-z]{1,20}$/.test(text)) return text.toUpperCase();
  throw new InvalidArgumentError("It is e.g. GET or PUT.");
}

function readHeader(text: string, before: InvokeFlags["header"] = []): [name: string, value: string][] {
  const [, name, value = ""] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It is 'Name: value'.");
  return [...before, [name.toLowerCase(), value.trim()]];
}
