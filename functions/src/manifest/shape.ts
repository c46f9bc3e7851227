/** What a manifest may say. The messages are those that its author reads. */

import { z } from "zod";
import { readDuration, readMegabytes } from "./quantities.ts";
import { explainSchedule, explainTimezone } from "./schedule.ts";

const MOST_FUNCTIONS = 100;
const MOST_VARIABLES = 64;
const MOST_TIMEOUT_MS = 15 * 60_000;
const LEAST_MEMORY_MB = 32;
const MOST_MEMORY_MB = 2_048;
const MOST_CONCURRENCY = 64;
/** They decide what runs, and how, before the function does. */
const RESERVED = /^(NODE_.*|LD_.*|ESERVELESS_.*|UV_.*|GO[A-Z]+|PATH|HOME|TMPDIR|PWD|SHELL|USER)$/i;

const NAME = z
  .string("must be text")
  .regex(/^[A-Za-z_][A-Za-z0-9_-]{0,46}$/, "must begin with a letter or _ and have up to 47 letters, digits, _ or -");

const VARIABLE_TEXT = z.union([z.string(), z.number(), z.boolean()], "must be text").transform(String);
const META = z
  .record(z.string().max(128), VARIABLE_TEXT, "must be a map of texts")
  .refine((map) => Object.keys(map).length <= MOST_VARIABLES, `has more than ${MOST_VARIABLES} entries`)
  .refine((map) => areWritable(Object.values(map)), "has a value that is too long or has a NUL in it");
const ENV = META.refine(
  (map) => Object.keys(map).every((name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)),
  "has a name that no environment variable can have",
).refine((map) => !Object.keys(map).some((name) => RESERVED.test(name)), "sets a name that is reserved");

const TIMEOUT = z
  .union([z.number().transform((seconds) => seconds * 1_000), z.string().transform((text) => readDuration(text))])
  .refine(
    (ms) => ms !== undefined && ms >= 1 && ms <= MOST_TIMEOUT_MS,
    "must be seconds, or a duration such as 500ms or 2m, of at most 15m",
  )
  .transform((ms) => Math.round(ms as number));

const MEMORY = z
  .union([z.number(), z.string().transform((text) => readMegabytes(text))])
  .refine(
    (mb) => mb !== undefined && Number.isInteger(mb) && mb >= LEAST_MEMORY_MB && mb <= MOST_MEMORY_MB,
    `must be megabytes from ${LEAST_MEMORY_MB} to ${MOST_MEMORY_MB}, such as 128 or 128mb`,
  )
  .transform((mb) => mb as number);

const wholeNumber = (least: number, most: number) => {
  const words = `must be a whole number from ${least} to ${most}`;
  return z.int(words).min(least, words).max(most, words);
};

/** As the cluster names its groups. */
const TOPIC = z
  .string("must be text")
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/, "must be 1 to 128 letters, digits, . _ ~ or -, and not . or ..");

const FUNCTION = z
  .strictObject({
    name: NAME,
    type: z.enum(["http", "cron", "event"], "must be http, cron or event"),
    schedule: explained(z.string("must be text in quotes"), explainSchedule).optional(),
    timezone: explained(z.string("must be text"), explainTimezone).optional(),
    topic: TOPIC.optional(),
    /** Of a cron function: whether a run may begin while the one before is under way. */
    overlap: z.boolean("must be true or false").default(false),
    /** Of a cron function: what becomes of ticks that nobody could run in time. */
    missed: z.enum(["once", "skip", "all"], "must be once, skip or all").default("once"),
    meta: META.default({}),
    env: ENV.default({}),
    timeout: TIMEOUT.default(30_000),
    memory: MEMORY.default(128),
    concurrency: wholeNumber(1, MOST_CONCURRENCY).optional(),
    keepWarm: wholeNumber(0, MOST_CONCURRENCY).default(0),
  })
  .superRefine((given, context) => {
    const tell = (path: string, message: string | undefined) => {
      if (message !== undefined) context.addIssue({ code: "custom", path: [path], message });
    };
    const only = (path: "schedule" | "timezone" | "topic", type: string) =>
      given[path] !== undefined && given.type !== type ? `is for ${type} functions only` : undefined;
    tell("schedule", only("schedule", "cron"));
    tell("timezone", only("timezone", "cron"));
    tell("topic", only("topic", "event"));
    if (given.type === "cron" && given.schedule === undefined) tell("schedule", "is missing");
    if (given.type === "event" && given.topic === undefined) tell("topic", "is missing");
    if (given.keepWarm > (given.concurrency ?? defaultConcurrency(given))) {
      tell("keepWarm", "must not be more than concurrency");
    }
  })
  .transform(({ timeout, memory, concurrency, ...rest }) => ({
    ...rest,
    timeoutMs: timeout,
    memoryMb: memory,
    concurrency: concurrency ?? defaultConcurrency(rest),
  }));

export const MANIFEST = z.strictObject({
  repo: z.string("must be text").optional(),
  runtime: z
    .enum(["node", "go", "golang"], "must be node or go")
    .transform((runtime) => (runtime === "golang" ? "go" : runtime)),
  functions: z
    .array(FUNCTION, "must be a list of functions")
    .min(1, "must name at least one function")
    .max(MOST_FUNCTIONS, `must not name more than ${MOST_FUNCTIONS} functions`)
    .superRefine((functions, context) => {
      functions.forEach(({ name }, index) => {
        if (functions.findIndex((other) => other.name === name) === index) return;
        context.addIssue({ code: "custom", path: [index, "name"], message: `is taken by another function: ${name}` });
      });
    }),
});

/** How many sandboxes one function has at the most, unless it says so itself. */
function defaultConcurrency({ type, overlap }: { type: string; overlap: boolean }): number {
  return type === "cron" && !overlap ? 1 : 8;
}

/** Text that is right where `explain` has no word against it. */
function explained(text: z.ZodString, explain: (text: string) => string | undefined): z.ZodString {
  return text.superRefine((value, context) => {
    const message = explain(value);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });
}

function areWritable(values: string[]): boolean {
  return values.every((value) => value.length <= 8_192 && !value.includes("\0"));
}
