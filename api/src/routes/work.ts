/**
 * The work queue: data is posted and worked on, once however often it is posted meanwhile; its callback, the MD5 of the data,
 * tells how far it is. Each piece of work is a process of the module `work`, whose state is read without a turn.
 *
 * The bodies are those that clients of an older system know, and so are the refusals: 400 and 404 without a problem document.
 */

import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Messenger } from "@genserverless/shared/cluster/messenger.ts";
import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { ProcessView } from "@genserverless/shared/inspect/views.ts";
import { type Pid, toPid } from "@genserverless/shared/process/pid.ts";
import { ClusterError } from "@genserverless/shared/service/errors.ts";
import type { z } from "zod";
import type { Modules } from "../request/check-message.ts";
import type { Input } from "../request/input.ts";
import type { Answer } from "../respond.ts";
import { REFUSED_POST } from "./messaging.ts";
import { defineRoute, type Route } from "./route.ts";
import { WorkAccepted, WorkRefused, WorkRequest, WorkStatus, WorkUnknown } from "./work-schemas.ts";

export interface WorkParts {
  messenger: Messenger;
  snapshot: Snapshot;
  modules: Modules;
  /** Of this node, for `accepted_by`. */
  name: string;
}

type Posted = z.infer<typeof WorkRequest> | z.infer<typeof WorkRefused>;

/** What the module keeps, as far as it is read here. */
interface WorkState extends z.infer<typeof WorkStatus> {
  /** Of worked work that is shown, in ms since the epoch. */
  shownUntil?: number;
}

const MODULE = "work";
const PATH = "/api/v1/work";
const CALLBACK = /^_?([0-9A-F]{32})$/;
const ACCEPT_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 10;

export function workRoutes(parts: WorkParts): Route[] {
  return [
    postRoute(parts),
    readRoute(parts),
    ...[PATH, `${PATH}/`, `${PATH}/*rest`].map((path) => restRoute(path, parts)),
  ];
}

function postRoute(parts: WorkParts): Route {
  return defineRoute<Posted, unknown>({
    method: "post",
    path: PATH,
    name: "postWork",
    summary: "Leave work to be done; any Content-Type and any path below are taken",
    body: WorkRequest,
    readBody: readPosted,
    answers: {
      200: { description: "Accepted: it will be done", schema: WorkAccepted },
      400: { description: "The body is no JSON, or data is missing or no string", schema: WorkRefused },
    },
    problems: [...REFUSED_POST, "unknown_module", "no_workers", "call_timeout"],
    handle: (input) => post(parts, input),
  });
}

function readRoute({ snapshot }: WorkParts): Route {
  return defineRoute({
    method: "get",
    path: `${PATH}/:callback`,
    name: "readWork",
    summary: "Read how far work is; worked work is there for WORK_TTL_MS",
    answers: {
      200: { description: "How far it is", schema: WorkStatus },
      404: { description: "There is no such work, or it is over", schema: WorkUnknown },
    },
    problems: [],
    async handle({ params }) {
      const callback = CALLBACK.exec(params["callback"] ?? "")?.[1];
      const state = callback && stateOf(await snapshot.readProcess(toPid(MODULE, callback), true));
      const isShown = state && (state.status !== "worked" || state.shownUntil !== undefined);
      return isShown ? { status: 200, json: { status: state.status } } : UNKNOWN;
    },
  });
}

/** What is neither of the two. */
function restRoute(path: string, parts: WorkParts): Route {
  return defineRoute<Posted, unknown>({
    method: "all",
    path,
    name: "refuseWork",
    summary: "",
    readBody: readPosted,
    answers: {},
    problems: [],
    handle(input) {
      if (input.method === "POST") return post(parts, input);
      if (input.method !== "GET" && input.method !== "HEAD")
        return refuse("unsupported method; please use GET or POST");
      return input.params["rest"] ? UNKNOWN : refuse("No callback_id was given in GET request");
    },
  });
}

const UNKNOWN: Answer = { status: 404, json: { status: "404. not found!" } };

function refuse(error: string): Answer {
  return { status: 400, json: { error } };
}

function readPosted(bytes: Buffer): Posted {
  const data = readData(bytes);
  if (data === undefined) return { error: "POST body is NOT well-formed; `data` field is missing" };
  if (typeof data !== "string") return { error: "POST body is NOT well-formed; `data` field is not a string" };
  return { data };
}

function readData(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined;
  try {
    return (JSON.parse(bytes.toString()) as { data?: unknown } | null)?.data;
  } catch {
    return undefined;
  }
}

async function post(parts: WorkParts, { body, idempotency }: Input<Posted>): Promise<Answer> {
  if ("error" in body) return refuse(body.error);
  const { data } = body;
  const callback = hash("md5", data).toUpperCase();
  await accept(parts, toPid(MODULE, callback), data, idempotency);
  return { status: 200, json: { accepted_by: parts.name, callback, data, status: "accepted" } };
}

/** Returns once whoever reads sees the work: as it is under way, or from now on for as long as worked work is seen. */
async function accept(parts: WorkParts, pid: Pid, data: string, idempotency: Input["idempotency"]): Promise<void> {
  const { messenger, snapshot, modules } = parts;
  if (!modules().has(MODULE)) throw new ClusterError("unknown_module", `there is no module "${MODULE}"`);
  const process = await snapshot.readProcess(pid, true);
  if (isUnderWay(process)) return;
  const { messageId } = await messenger.cast(pid, { begin: { data } }, { delayMs: 0, ...idempotency });
  if (!process) return;
  const endsAt = performance.now() + ACCEPT_WITHIN_MS;
  while (!isUnderWay(await snapshot.readProcess(pid, true))) {
    const message = await snapshot.readMessage(messageId);
    // Its process was forgotten a moment ago; another one is begun.
    if (message?.status === "dropped") return accept(parts, pid, data, {});
    if (message?.status !== "queued" && message?.status !== "running") return;
    if (performance.now() > endsAt) throw new ClusterError("call_timeout", "the work did not begin in time", messageId);
    await delay(LOOK_EVERY_MS);
  }
}

/** Begun, or sure to begin by itself. */
function isUnderWay(process: ProcessView | undefined): boolean {
  const status = stateOf(process)?.status;
  return status === "working" || (status === "pending" && process?.status !== "idle");
}

/** Before init has committed the process has no state. */
function stateOf(process: ProcessView | undefined): WorkState | undefined {
  return process && ((process.state as WorkState | null) ?? { status: "pending" });
}
