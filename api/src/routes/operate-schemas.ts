/** What operators send and are answered, as schemas.ts has it for everybody else. */

import { PID_PART_PATTERN } from "@genserverless/shared/process/pid.ts";
import { PROCESS_STATUSES } from "@genserverless/shared/process/status.ts";
import { checkCron } from "genserverless/runtime/schedule.ts";
import { z } from "zod";
import { MailRequest, Process, StartRequest, StopRequest } from "./schemas.ts";
import { wholeNumber } from "./whole-number.ts";

const count = z.int().min(0);
const moment = z.iso.datetime();
const pidPart = StartRequest.shape.module;
const part = PID_PART_PATTERN.replace(/^\^|\$$/g, "");
const pid = z
  .string()
  .regex(/^[^/]*\/[^/]*$/, "must be module/key")
  .refine((text) => text.split("/").every((each) => new RegExp(`^${part}$`).test(each)), "must be module/key");
const processStatus = z.enum(PROCESS_STATUSES);
const reason = StopRequest.shape.reason.unwrap();
const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters");
const tag = z.string().min(1).max(64);
const owner = z.string().min(1).max(256);
const cursor = z.string().min(1).max(1024);
const messageId = z.string().min(1).max(64);

export const NoFields = z.strictObject({});
export const HoldAnswer = z.object({ pid: z.string(), status: processStatus });

export const KillRequest = z.strictObject({ reason: reason.default("killed") });
export const KillAnswer = z.object({ reason: z.string(), stateKept: z.boolean() });

export const SkipRequest = z.strictObject({ messageId: messageId.exactOptional() });
export const SkipAnswer = z.object({
  messageId: z.string().exactOptional(),
  kind: z.string(),
  timer: z.string().exactOptional(),
});

export const ReadMailboxQuery = z.strictObject({ limit: wholeNumber(1, 1000).default(100) });
const queued = z.object({
  messageId: z.string(),
  kind: z.string(),
  message: z.unknown(),
  queuedAt: moment,
  dueAt: moment.exactOptional(),
  timer: z.string().exactOptional(),
});
export const Mailbox = z.object({
  pid: z.string(),
  status: processStatus,
  reason: z.string().exactOptional(),
  mailbox: Process.shape.mailbox,
  continue: z.object({ value: z.unknown() }).exactOptional(),
  running: z.array(queued),
  waiting: z.array(queued),
  delayed: z.array(queued),
  isCut: z.boolean(),
});

export const RetryAnswer = z.object({ messageId: z.string(), status: z.literal("queued") });
export const DropAnswer = z.object({ messageId: z.string(), status: z.literal("dropped") });
export const RetryAllAnswer = z.object({ retried: count });
export const DropAllAnswer = z.object({ dropped: count });

const address = { pid: pid.exactOptional(), module: pidPart.exactOptional(), key: pidPart.exactOptional() };
const batched = z
  .strictObject({
    ...address,
    message: z.unknown(),
    delayMs: MailRequest.shape.delayMs,
    idempotencyKey: idempotencyKey.exactOptional(),
  })
  .refine(
    ({ pid, module, key }) =>
      (pid === undefined) !== (module === undefined) && (module === undefined) === (key === undefined),
    "must have either pid, or module and key",
  );
export const BatchRequest = z.strictObject({ casts: z.array(batched).min(1).max(1000) });
const batchProblem = z.looseObject({ code: z.string(), status: z.int(), title: z.string(), detail: z.string() });
export const BatchAnswer = z.object({
  accepted: count,
  results: z.array(z.union([z.object({ messageId: z.string() }), z.object({ problem: batchProblem })])),
});

const ACTIONS = ["pause", "resume", "unquarantine", "kill", "stop", "retry-dead-letters", "drop-dead-letters"] as const;
const filter = z
  .strictObject({
    all: z.literal(true).exactOptional(),
    module: pidPart.exactOptional(),
    status: processStatus.exactOptional(),
    tag: tag.exactOptional(),
    owner: owner.exactOptional(),
  })
  .refine(
    ({ all, ...named }) => (all === true) === (Object.keys(named).length === 0),
    'must name module, status, tag or owner, or be {"all": true} and nothing else',
  );
export const BulkRequest = z
  .strictObject({
    action: z.enum(ACTIONS),
    filter,
    dryRun: z.boolean().default(false),
    reason: reason.exactOptional(),
    cursor: cursor.exactOptional(),
  })
  .refine(({ action, reason }) => reason === undefined || action === "kill" || action === "stop", {
    path: ["reason"],
    message: "only kill and stop have a reason",
  });
export const BulkAnswer = z.object({
  matched: count,
  done: count,
  failed: z.array(z.object({ pid: z.string(), code: z.string() })),
  nextCursor: z.string().exactOptional(),
});

const when = z.int().min(0).max(8.64e15);
const longest = MailRequest.shape.delayMs.unwrap();
const timer = z
  .looseObject({
    id: messageId,
    dueAt: when,
    everyMs: longest.min(1).exactOptional(),
    cron: z.string().max(256).exactOptional(),
    timezone: z.string().max(64).exactOptional(),
    missed: z.enum(["skip", "once", "all"]).exactOptional(),
    messageText: z.string().exactOptional(),
  })
  .refine(({ cron, timezone }) => cron === undefined || isCron(cron, timezone), "has no valid cron expression");
const message = z.strictObject({
  messageId,
  kind: z.enum(["call", "cast", "info", "stop", "exit", "down", "link", "unlink"]),
  message: z.unknown(),
  queuedAt: when,
  dueAt: when.exactOptional(),
  timer: z.string().max(128).exactOptional(),
});
const snapshot = z.strictObject({ sequence: z.int().min(1), version: count, state: z.unknown() });
const event = z.strictObject({
  sequence: z.int().min(1),
  type: z.string().min(1),
  data: z.unknown(),
  version: count,
  at: when,
  messageId: z.string().max(256),
});
const journal = z.strictObject({
  base: snapshot.exactOptional(),
  snapshot: snapshot.exactOptional(),
  events: z.array(event).max(100_000),
});
export const ProcessDocument = z.strictObject({
  format: z.literal(1),
  pid,
  status: processStatus,
  reason: z.string().max(10_000).exactOptional(),
  moduleVersion: count,
  revision: count,
  turns: count,
  state: z.unknown(),
  journal: journal.exactOptional(),
  options: z.strictObject({
    tags: StartRequest.shape.options.unwrap().shape.tags,
    idleAfterMs: z
      .union([StartRequest.shape.options.unwrap().shape.idleAfterMs, z.literal("infinity")])
      .exactOptional(),
  }),
  continue: z.strictObject({ value: z.unknown() }).exactOptional(),
  timers: z.record(z.string().min(1).max(128), timer),
  ties: z.record(z.string(), z.string()),
  mailbox: z.array(message).max(10_000),
});
export const ImportRequest = z.strictObject({
  document: ProcessDocument,
  pid: pid.exactOptional(),
  ifExists: z.enum(["error", "replace"]).default("error"),
});
export const ImportAnswer = z.object({ pid: z.string(), status: processStatus });

function isCron(expression: string, timezone: string | undefined): boolean {
  try {
    checkCron(expression, timezone, Date.now());
    return true;
  } catch {
    return false;
  }
}

export const ReadMembersQuery = z.strictObject({
  limit: wholeNumber(1, 1000).default(100),
  cursor: cursor.exactOptional(),
});
export const Members = z.object({ members: z.array(z.string()), nextCursor: z.string().exactOptional() });
export const PublishRequest = z.strictObject({ message: z.unknown(), cursor: cursor.exactOptional() });
export const PublishAnswer = z.object({
  sent: count,
  failed: z.array(z.object({ pid: z.string(), code: z.string() })),
  nextCursor: z.string().exactOptional(),
});
