/** What is read of processes straight from Redis; browsers that ask for the same at the same moment share one read. */

import type { Snapshot } from "@genserverless/shared/inspect/snapshot.ts";
import type { TiesView } from "@genserverless/shared/inspect/ties-reader.ts";
import type { ListQuery, MailboxPeek, QueuedMessage } from "@genserverless/shared/inspect/views.ts";
import { type Pid, parsePid } from "@genserverless/shared/process/pid.ts";
import { PROCESS_STATUSES, type ProcessStatus } from "@genserverless/shared/process/status.ts";
import { type Request, type RequestHandler, Router } from "express";
import { Problem } from "./problems.ts";
import { textOf } from "./query.ts";
import { SharedReads } from "./shared-reads.ts";

export interface ProcessParts {
  snapshot: Pick<Snapshot, "listProcesses" | "readProcess" | "readMailbox" | "readDeadLetters">;
  readTies(pid: Pid): Promise<TiesView | undefined>;
}

const PAGE = { least: 1, usual: 50, most: 500 };
const MAIL_SHOWN = 50;
const LETTERS_SHOWN = 200;
/** Of a message; more of it is shown cut. */
const MESSAGE_SHOWN = 4_000;

export function processRoutes({ snapshot, readTies }: ProcessParts): Router {
  const router = Router();
  const reads = new SharedReads();
  router.get(
    "/processes",
    answer((request) => {
      const query = readQuery(request);
      return reads.read(`list ${JSON.stringify(query)}`, () => snapshot.listProcesses(query));
    }),
  );
  router.get(
    "/processes/:module/:key",
    answer((request) => {
      const pid = readPid(request);
      return reads.read(`process ${pid}`, () => readDetail({ snapshot, readTies }, pid));
    }),
  );
  router.get(
    "/processes/:module/:key/dead-letters",
    answer((request) => {
      const pid = readPid(request);
      return reads.read(`dead ${pid}`, () => readLetters(snapshot, pid));
    }),
  );
  return router;
}

function answer(read: (request: Request) => Promise<unknown>): RequestHandler {
  return async (request, response) => {
    response.set("cache-control", "no-store").json(await read(request));
  };
}

async function readDetail({ snapshot, readTies }: ProcessParts, pid: Pid) {
  const [process, mailbox, ties] = await Promise.all([
    snapshot.readProcess(pid, false),
    snapshot.readMailbox(pid, MAIL_SHOWN),
    readTies(pid),
  ]);
  if (!process) throw new Problem("no_process");
  return { process, ...(mailbox && { mailbox: cutMailbox(mailbox) }), ...(ties && { ties }) };
}

async function readLetters(snapshot: ProcessParts["snapshot"], pid: Pid) {
  const letters = await snapshot.readDeadLetters(pid);
  return { total: letters.length, deadLetters: letters.slice(0, LETTERS_SHOWN).map(cutMessage) };
}

function cutMailbox(mailbox: MailboxPeek): MailboxPeek {
  const cut = (messages: QueuedMessage[]) => messages.map(cutMessage);
  return { ...mailbox, running: cut(mailbox.running), waiting: cut(mailbox.waiting), delayed: cut(mailbox.delayed) };
}

/** `cutBytes` where the message was made a text that is only its beginning. */
function cutMessage<Message extends { message: unknown }>(message: Message): Message & { cutBytes?: number } {
  const text = JSON.stringify(message.message);
  if (text.length <= MESSAGE_SHOWN) return message;
  return { ...message, message: text.slice(0, MESSAGE_SHOWN), cutBytes: text.length };
}

function readPid({ params }: Request): Pid {
  const pid = parsePid(`${params["module"]}/${params["key"]}`);
  if (!pid) throw new Problem("invalid_pid");
  return pid;
}

function readQuery({ query }: Request): ListQuery {
  const status = textOf(query["status"]);
  if (status && !PROCESS_STATUSES.includes(status as ProcessStatus)) {
    throw new Problem("invalid_request", `status is one of ${PROCESS_STATUSES.join(", ")}`);
  }
  const limit = Number(textOf(query["limit"]) ?? PAGE.usual);
  if (!Number.isInteger(limit) || limit < PAGE.least || limit > PAGE.most) {
    throw new Problem("invalid_request", `limit is ${PAGE.least} to ${PAGE.most}`);
  }
  return {
    module: textOf(query["module"]),
    status: status as ProcessStatus | undefined,
    tag: textOf(query["tag"]),
    owner: textOf(query["owner"]),
    cursor: textOf(query["cursor"]),
    limit,
  };
}
