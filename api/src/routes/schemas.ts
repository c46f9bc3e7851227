/** What goes over the wire, once: requests are validated with these, and the OpenAPI document is generated from them. */

import { PID_PART_PATTERN } from "@genserverless/shared/process/pid.ts";
import { PROCESS_STATUSES } from "@genserverless/shared/process/status.ts";
import { ERRORS, type ErrorCode } from "@genserverless/shared/service/errors.ts";
import { z } from "zod";
import { wholeNumber } from "./whole-number.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const MAX_WAIT_MS = 600_000;

const pidPart = z
  .string()
  .regex(new RegExp(PID_PART_PATTERN), "must be 1 to 128 of A-Z a-z 0-9 . _ ~ - and neither . nor ..");
const count = z.int().min(0);
const moment = z.iso.datetime();
const mailbox = z.object({ waiting: count, delayed: count, failed: count });
const processStatus = z.enum(PROCESS_STATUSES);
const messageStatus = z.enum(["queued", "running", "done", "failed", "dropped", "expired"]);

export const StartRequest = z.strictObject({
  module: pidPart,
  key: pidPart.optional(),
  args: z.unknown().optional(),
  ifExists: z.enum(["error", "return"]).default("error"),
  options: z
    .strictObject({
      tags: z.array(z.string().min(1).max(64)).max(16).exactOptional(),
      idleAfterMs: z
        .union([
          z
            .int()
            .min(0)
            .max(2 ** 31 - 1),
          z.literal("infinity"),
        ])
        .exactOptional(),
    })
    .default({}),
});
export const StartAnswer = z.object({ pid: z.string(), status: processStatus });

export const CallRequest = z.strictObject({
  message: z.unknown(),
  timeoutMs: z.int().min(1).max(MAX_WAIT_MS).default(5000),
});
export const CallAnswer = z.object({ reply: z.unknown(), messageId: z.string() });

export const MailRequest = z.strictObject({
  message: z.unknown(),
  delayMs: z
    .int()
    .min(0)
    .max(366 * DAY_MS)
    .default(0),
});
export const MailAnswer = z.object({ messageId: z.string() });

export const StopRequest = z.strictObject({ reason: z.string().min(1).max(256).default("normal") });
export const StopAnswer = z.object({ reason: z.string() });

const truth = z
  .enum(["true", "false"])
  .transform((text) => text === "true")
  .pipe(z.boolean());

export const ReadProcessQuery = z.strictObject({ state: truth.default(false) });
export const ListProcessesQuery = z.strictObject({
  module: pidPart.exactOptional(),
  status: processStatus.exactOptional(),
  tag: z.string().min(1).max(64).exactOptional(),
  owner: z.string().min(1).max(256).exactOptional(),
  limit: wholeNumber(1, 1000).default(100),
  cursor: z.string().min(1).max(1024).exactOptional(),
});
export const ReadMessageQuery = z.strictObject({ wait: wholeNumber(0, MAX_WAIT_MS).default(0) });

export const Process = z.object({
  pid: z.string(),
  module: z.string(),
  key: z.string(),
  status: processStatus,
  reason: z.string().exactOptional(),
  tags: z.array(z.string()),
  moduleVersion: count,
  revision: count,
  epoch: count,
  owner: z.string().nullable(),
  turns: count,
  sequence: count.exactOptional(),
  mailbox,
  startedAt: moment,
  updatedAt: moment,
  state: z.unknown().optional(),
});
export const ProcessPage = z.object({ processes: z.array(Process), nextCursor: z.string().exactOptional() });
export const Message = z.object({
  messageId: z.string(),
  status: messageStatus,
  reply: z.unknown().optional(),
  error: z.object({ code: z.string(), detail: z.string() }).exactOptional(),
});
export const CancelAnswer = z.object({ messageId: z.string(), status: z.literal("dropped") });

const deadLetter = z.object({
  messageId: z.string(),
  kind: z.string(),
  message: z.unknown(),
  reason: z.string(),
  stack: z.array(z.string()),
  deaths: count,
  node: z.string(),
  failedAt: moment,
});
export const DeadLetters = z.object({ deadLetters: z.array(deadLetter) });

const node = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(["api", "worker", "gateway", "sysmon"]),
  host: z.string(),
  osPid: count,
  startedAt: moment,
  seenMsAgo: z.number(),
  load: z.number().exactOptional(),
  lagMs: z.number().exactOptional(),
  rate: z.number().exactOptional(),
  latency: z.object({ p50Ms: z.number(), p99Ms: z.number() }).exactOptional(),
  waitMs: z.number().exactOptional(),
  failures: count.exactOptional(),
  takeovers: count.exactOptional(),
  busiest: z.array(z.object({ pid: z.string(), turns: count, failed: count })).exactOptional(),
  held: count.exactOptional(),
  running: count.exactOptional(),
  turns: count.exactOptional(),
  modules: z.array(z.string()).exactOptional(),
});
export const Cluster = z.object({
  nodes: z.array(node),
  processes: z.record(processStatus, count),
  mailbox,
  redis: z.object({ version: z.string(), usedMemoryBytes: count, maxMemoryBytes: count, connected: z.boolean() }),
});

export const Health = z.object({ status: z.literal("ok") });
export const OpenApiDocument = z.looseObject({ openapi: z.string() });

export const Problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS) as ErrorCode[]),
  messageId: z.string().exactOptional(),
  reasons: z.array(z.string()).exactOptional(),
  first: count.exactOptional(),
});
